"""Reading and writing: the only room that knows file formats."""
