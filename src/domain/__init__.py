"""Values of the program: posts, answers, runs, texts, errors. No input or output, no import from other folders."""
