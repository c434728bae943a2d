"""Text that people write, with the place of everything in it: what definitions and settings are read from.

`regular_file` reads a file within bounds; `yaml_text` and `json_text` make it a tree of `source`: maps, lists and
values, each with file, path, line and column; `environment` fills `${NAME}` in; `units` reads `5s` and `64KiB`. What
anything means is not known here.
"""
