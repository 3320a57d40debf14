"""Writes schemas.txt: the operators of ONNX's default domain up to opset 27, from the package onnx.

    python schemas.py > schemas.txt

One line an operator: name; the least and the largest number of inputs and the largest number of outputs (-1: any); the
attributes; then for each input ("i0") and for the first output ("o0") the element types, each with the opset since which
it is taken. All are unions over the forms that opsets 7 to 27 have.
"""
import onnx.defs

LAST = 27


def element(type_str):
    """The element type inside seq(...), optional(...) and tensor(...)."""
    inner = type_str
    while "(" in inner:
        inner = inner[inner.index("(") + 1:inner.rindex(")")]
    return inner


forms = {}
for schema in onnx.defs.get_all_schemas_with_history():
    if schema.domain == "" and schema.since_version <= LAST:
        forms.setdefault(schema.name, []).append(schema)

for name in sorted(forms):
    versions = sorted(forms[name], key=lambda s: s.since_version)
    while len(versions) > 1 and versions[1].since_version <= 7:
        versions.pop(0)
    if all(s.deprecated for s in versions):
        continue
    versions = [s for s in versions if not s.deprecated]
    many = 2**31 - 1
    most = max(s.max_input for s in versions)
    outs = max(s.max_output for s in versions)
    attributes = sorted({a for s in versions for a in s.attributes})
    places = {}
    for s in versions:
        allowed = {c.type_param_str: c.allowed_type_strs for c in s.type_constraints}
        for place, p in [("i%d" % i, p) for i, p in enumerate(s.inputs)] + [("o0", s.outputs[0])]:
            for t in allowed.get(p.type_str, [p.type_str]):
                places.setdefault(place, {}).setdefault(element(t), max(s.since_version, 7))
    print(name, min(s.min_input for s in versions), -1 if most == many else most, -1 if outs == many else outs,
          ",".join(attributes) or "-",
          *["%s:%s" % (p, ",".join("%s@%d" % (t, since) for t, since in sorted(ts.items()))) for p, ts in sorted(places.items())])
