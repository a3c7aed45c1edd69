"""Values of the program: posts, answers, runs, texts, errors. No I/O, no import from other folders."""
