"""llama.cpp on the same GGUF, sixteen texts one after the other: optional, for the bench only."""

import sys

from llama_cpp import Llama

model = Llama(sys.argv[1], n_ctx=512, verbose=False)
for seed in range(16):
    print(
        model("Write one tweet with a tip for software developers.\n\nTweet:", max_tokens=48, seed=seed)[
            "choices"
        ][0]["text"]
    )
