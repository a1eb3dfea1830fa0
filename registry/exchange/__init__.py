"""Exchange with other formats: one module for each format; `formats` lists them.

`exporting` and `importing` do what is the same for all formats.
"""
