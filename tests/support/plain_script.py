"""What anybody would write first: the GGUF through transformers, one text. The bench compares against it."""

import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

gguf = Path(sys.argv[1])
tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
prompt = "Write one tweet with a tip for software developers.\n\nTweet:"
ids = tokenizer(prompt, return_tensors="pt")
with torch.inference_mode():
    out = model.generate(**ids, max_new_tokens=48, min_new_tokens=48, do_sample=True)
print(tokenizer.decode(out[0]))
