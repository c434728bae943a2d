"""Events as others write them, made into the JSON that the rest of the connector reads.

A source whose events are plain JSON messages needs none of this. `source_format` is made from the settings of one
source; it takes a value and its headers and gives the bytes of a message, or says why there is none: `wire` reads the
frame of a schema registry, `avro` and `protobuf` what stands in it, `cloudevents` the envelope, `event_map` makes
fields of a message of any other shape. `registry` asks for schemas, `schemas` keeps them. `results` writes results so.
"""
