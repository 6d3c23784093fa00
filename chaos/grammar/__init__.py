"""How files for people are read: values with units, mappings with known keys, messages with places."""
