"""What a person or a program can wish of a client: one function each, under the store's lock."""
