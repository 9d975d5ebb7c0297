"""The local stack: its tools (environment, Java, jars), its servers and the command line that drives them."""
