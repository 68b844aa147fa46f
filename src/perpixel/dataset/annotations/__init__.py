"""Labels that are not masks: outlines, tables, georeferenced vectors."""
