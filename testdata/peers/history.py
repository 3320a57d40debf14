"""Lists the form of every version of every operator of the default domain, one a line: onnx/rewrite/history.txt.

Operator, version, least and most inputs, least and most outputs (-1: any number), attributes with their defaults, and for
each input and each output the element types that it takes, a bit of a hexadecimal number each (0: no tensor, or any type)."""

import sys

import onnx
import onnx.defs


def number(n):
    return -1 if n > 1 << 20 else n


def default(a):
    v = onnx.helper.get_attribute_value(a.default_value) if a.default_value.name else None
    if v is None:
        return "!" if a.required else ""
    if isinstance(v, bytes):
        return "=" + v.decode()
    if isinstance(v, float):
        return "=%.6g" % v
    if isinstance(v, (list, tuple)):
        return "=" + ",".join(str(x) for x in v)
    return "=" + str(v)


def mask(schema, formal):
    allowed = next((c.allowed_type_strs for c in schema.type_constraints if c.type_param_str == formal.type_str), [formal.type_str])
    bits = 0
    for t in allowed:
        name = t.removeprefix("tensor(").removesuffix(")")
        if t.startswith("tensor(") and name.upper() in onnx.TensorProto.DataType.keys():
            bits |= 1 << onnx.TensorProto.DataType.Value(name.upper())
    return "%x" % bits


out = open(sys.argv[1], "w") if len(sys.argv) > 1 else sys.stdout
print("# made by testdata/peers/history.py with onnx", onnx.__version__, file=out)
schemas = [s for s in onnx.defs.get_all_schemas_with_history() if s.domain == ""]
for s in sorted(schemas, key=lambda s: (s.name, s.since_version)):
    attributes = " ".join(name + default(s.attributes[name]).replace(" ", "") for name in sorted(s.attributes))
    inputs = ",".join(mask(s, i) for i in s.inputs)
    outputs = ",".join(mask(s, o) for o in s.outputs)
    print("%s %d %d %d %d %d i:%s o:%s" % (s.name, s.since_version, s.min_input, number(s.max_input), s.min_output, number(s.max_output), inputs, outputs), attributes, file=out)
