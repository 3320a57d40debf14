"""Models broken in one place, and what onnx.checker says of each: for TestMutants in onnx/inspect.

    peers/bin/python testdata/peers/check_mutants.py /usr/include/onnx/backend/test/data/node FOLDER [EVERY]

Writes FOLDER/NNNNN.onnx and FOLDER/verdicts.txt, of which a line is: file, mutation, case, checked | full | accepted (refused
by check_model, by check_model with full_check alone, by neither), and the first line of the reason, separated by tabs. EVERY
takes each so many-th case of each mutation only.
"""
import glob
import os
import random
import sys

import onnx
from onnx import checker, helper, TensorProto, AttributeProto


def graphs(model):
    def walk(g):
        yield g
        for n in g.node:
            for a in n.attribute:
                if a.HasField("g"):
                    yield from walk(a.g)
                for s in a.graphs:
                    yield from walk(s)
    return list(walk(model.graph))


def node(m, r, want=lambda n: True):
    nodes = [n for g in graphs(m) for n in g.node if want(n)]
    return r.choice(nodes) if nodes else None


def undefined_input(m, r):
    n = node(m, r, lambda n: any(n.input))
    if n is None: return False
    n.input[r.choice([i for i, x in enumerate(n.input) if x])] = "nowhere"


def extra_input(m, r):
    n = node(m, r, lambda n: any(n.input))
    if n is None: return False
    n.input.extend([n.input[0] or m.graph.input[0].name] * 8)


def no_inputs(m, r):
    n = node(m, r, lambda n: any(n.input))
    if n is None: return False
    del n.input[:]


def last_input_dropped(m, r):
    n = node(m, r, lambda n: any(n.input))
    if n is None: return False
    del n.input[-1]


def extra_output(m, r):
    n = node(m, r)
    if n is None: return False
    n.output.extend(["more%d" % i for i in range(9)])


def first_output_empty(m, r):
    n = node(m, r, lambda n: n.output)
    if n is None: return False
    n.output[0] = ""


def unknown_operator(m, r):
    n = node(m, r)
    if n is None: return False
    n.op_type = "NoSuch"


def no_operator(m, r):
    n = node(m, r)
    if n is None: return False
    n.op_type = ""


def unknown_domain(m, r):
    n = node(m, r)
    if n is None: return False
    n.domain = "nobody"


def attribute_dropped(m, r):
    n = node(m, r, lambda n: n.attribute)
    if n is None: return False
    del n.attribute[r.randrange(len(n.attribute))]


def attribute_unknown(m, r):
    n = node(m, r)
    if n is None: return False
    n.attribute.append(helper.make_attribute("no_such_attribute", 1))


def attribute_twice(m, r):
    n = node(m, r, lambda n: n.attribute)
    if n is None: return False
    n.attribute.append(n.attribute[0])


def attribute_other_type(m, r):
    n = node(m, r, lambda n: n.attribute)
    if n is None: return False
    a = r.choice(n.attribute)
    b = helper.make_attribute(a.name, "text" if a.type != AttributeProto.STRING else 3)
    a.CopyFrom(b)


def attribute_no_type(m, r):
    n = node(m, r, lambda n: n.attribute)
    if n is None: return False
    r.choice(n.attribute).ClearField("type")


def attribute_no_name(m, r):
    n = node(m, r, lambda n: n.attribute)
    if n is None: return False
    r.choice(n.attribute).ClearField("name")


def attribute_two_values(m, r):
    n = node(m, r, lambda n: n.attribute)
    if n is None: return False
    a = r.choice(n.attribute)
    a.f, a.i, a.s = 1.0, 1, b"x"


def attribute_reference(m, r):
    n = node(m, r, lambda n: n.attribute)
    if n is None: return False
    a = r.choice(n.attribute)
    name = a.name
    kind = a.type
    a.Clear()
    a.name, a.ref_attr_name, a.type = name, "other", kind


def output_twice(m, r):
    n = node(m, r, lambda n: any(n.output) and any(n.input))
    if n is None: return False
    n.output[0] = next(x for x in n.input if x)


def order_reversed(m, r):
    g = m.graph
    if len(g.node) < 2: return False
    nodes = list(g.node)[::-1]
    del g.node[:]
    g.node.extend(nodes)


def no_imports(m, r):
    del m.opset_import[:]


def imports_twice(m, r):
    m.opset_import.append(m.opset_import[0])


def opset_one(m, r):
    m.opset_import[0].version = 1


def opset_older(m, r):
    m.opset_import[0].version = max(1, m.opset_import[0].version - 8)


def opset_of_future(m, r):
    m.opset_import[0].version = 1000


def ir_version_zero(m, r):
    m.ir_version = 0


def ir_version_missing(m, r):
    m.ClearField("ir_version")


def ir_version_future(m, r):
    m.ir_version = 1000


def graph_name_missing(m, r):
    m.graph.ClearField("name")


def input_twice(m, r):
    if not m.graph.input: return False
    m.graph.input.append(m.graph.input[0])


def input_no_name(m, r):
    if not m.graph.input: return False
    m.graph.input[0].ClearField("name")


def input_no_type(m, r):
    if not m.graph.input: return False
    m.graph.input[0].ClearField("type")


def input_no_shape(m, r):
    if not m.graph.input or not m.graph.input[0].type.HasField("tensor_type"): return False
    m.graph.input[0].type.tensor_type.ClearField("shape")


def input_no_element_type(m, r):
    if not m.graph.input or not m.graph.input[0].type.HasField("tensor_type"): return False
    m.graph.input[0].type.tensor_type.ClearField("elem_type")


def input_other_element_type(m, r):
    if not m.graph.input or not m.graph.input[0].type.HasField("tensor_type"): return False
    t = r.choice(m.graph.input).type.tensor_type
    t.elem_type = TensorProto.STRING if t.elem_type != TensorProto.STRING else TensorProto.COMPLEX64


def input_wild_element_type(m, r):
    if not m.graph.input or not m.graph.input[0].type.HasField("tensor_type"): return False
    m.graph.input[0].type.tensor_type.elem_type = 99


def input_other_rank(m, r):
    if not m.graph.input: return False
    v = r.choice(m.graph.input)
    if not v.type.HasField("tensor_type"): return False
    for _ in range(3):
        v.type.tensor_type.shape.dim.add().dim_value = 7


def input_negative_dimension(m, r):
    if not m.graph.input or not m.graph.input[0].type.tensor_type.shape.dim: return False
    m.graph.input[0].type.tensor_type.shape.dim[0].dim_value = -3


def output_other_element_type(m, r):
    if not m.graph.output or not m.graph.output[0].type.HasField("tensor_type"): return False
    t = m.graph.output[0].type.tensor_type
    t.elem_type = TensorProto.STRING if t.elem_type != TensorProto.STRING else TensorProto.FLOAT


def output_other_rank(m, r):
    if not m.graph.output or not m.graph.output[0].type.HasField("tensor_type"): return False
    if not m.graph.output[0].type.tensor_type.HasField("shape"): return False
    m.graph.output[0].type.tensor_type.shape.dim.add().dim_value = 7


def output_other_size(m, r):
    if not m.graph.output: return False
    t = m.graph.output[0].type.tensor_type
    if not t.shape.dim: return False
    t.shape.dim[0].dim_value += 3


def output_undefined(m, r):
    if not m.graph.output: return False
    m.graph.output[0].name = "nowhere"


def output_no_name(m, r):
    if not m.graph.output: return False
    m.graph.output[0].ClearField("name")


def output_no_type(m, r):
    if not m.graph.output: return False
    m.graph.output[0].ClearField("type")


def tensors(m):
    out = []
    for g in graphs(m):
        out += list(g.initializer)
        for n in g.node:
            for a in n.attribute:
                if a.HasField("t"): out.append(a.t)
                out += list(a.tensors)
    return out


def initializer(m):
    if m.graph.initializer: return
    m.graph.initializer.append(helper.make_tensor("spare", TensorProto.FLOAT, [2], [1.0, 2.0]))


def tensor_short(m, r):
    initializer(m)
    t = r.choice(tensors(m))
    t.dims.append(5)


def tensor_negative(m, r):
    initializer(m)
    t = r.choice(tensors(m))
    t.dims.insert(0, -1)


def tensor_no_type(m, r):
    initializer(m)
    r.choice(tensors(m)).ClearField("data_type")


def tensor_wild_type(m, r):
    initializer(m)
    r.choice(tensors(m)).data_type = 99


def tensor_two_fields(m, r):
    initializer(m)
    t = r.choice(tensors(m))
    t.raw_data = b"12345678"
    t.float_data.extend([1.0, 2.0])


def tensor_wrong_field(m, r):
    initializer(m)
    t = r.choice(tensors(m))
    kept, name, dims = t.data_type, t.name, list(t.dims)
    t.Clear()
    t.data_type, t.name = kept, name
    t.dims.extend(dims)
    n = 1
    for d in dims: n *= d
    if kept == TensorProto.DOUBLE: t.float_data.extend([0.0] * n)
    else: t.double_data.extend([0.0] * n)


def tensor_outside(m, r):
    initializer(m)
    t = r.choice(tensors(m))
    for f in ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data", "string_data"): t.ClearField(f)
    t.data_location = TensorProto.EXTERNAL
    e = t.external_data.add()
    e.key, e.value = "location", "../../nowhere"


def initializer_twice(m, r):
    initializer(m)
    m.graph.initializer.append(m.graph.initializer[0])


def initializer_no_name(m, r):
    initializer(m)
    m.graph.initializer[0].ClearField("name")


def initializer_old_ir(m, r):
    initializer(m)
    m.ir_version = 3


def sparse_out_of_range(m, r):
    s = m.graph.sparse_initializer.add()
    s.values.CopyFrom(helper.make_tensor("sparse", TensorProto.FLOAT, [2], [1.0, 2.0]))
    s.indices.CopyFrom(helper.make_tensor("", TensorProto.INT64, [2], [1, 9]))
    s.dims.append(5)


def sparse_unsorted(m, r):
    s = m.graph.sparse_initializer.add()
    s.values.CopyFrom(helper.make_tensor("sparse", TensorProto.FLOAT, [2], [1.0, 2.0]))
    s.indices.CopyFrom(helper.make_tensor("", TensorProto.INT64, [2], [3, 1]))
    s.dims.append(5)


def metadata_twice(m, r):
    for v in "ab":
        p = m.metadata_props.add()
        p.key, p.value = "k", v


def function_bad(m, r):
    f = m.functions.add()
    f.name, f.domain = "f", "own"
    f.input.append("a")
    f.output.append("b")
    f.node.append(helper.make_node("NoSuch", ["a"], ["b"]))
    f.opset_import.append(helper.make_opsetid("", 17))
    m.opset_import.append(helper.make_opsetid("own", 1))
    m.ir_version = max(m.ir_version, 8)


def function_undefined(m, r):
    f = m.functions.add()
    f.name, f.domain = "f", "own"
    f.input.append("a")
    f.output.append("b")
    f.node.append(helper.make_node("Neg", ["nowhere"], ["b"]))
    f.opset_import.append(helper.make_opsetid("", 17))
    m.opset_import.append(helper.make_opsetid("own", 1))
    m.ir_version = max(m.ir_version, 8)


def function_recursive(m, r):
    f = m.functions.add()
    f.name, f.domain = "f", "own"
    f.input.append("a")
    f.output.append("b")
    f.node.append(helper.make_node("f", ["a"], ["b"], domain="own"))
    f.opset_import.append(helper.make_opsetid("own", 1))
    m.opset_import.append(helper.make_opsetid("own", 1))
    m.ir_version = max(m.ir_version, 8)


def shadowing(m, r):
    for n in m.graph.node:
        for a in n.attribute:
            if a.HasField("g") and a.g.node and m.graph.input:
                a.g.node[0].output[0] = m.graph.input[0].name
                return
    return False


def subgraph_output_undefined(m, r):
    for n in m.graph.node:
        for a in n.attribute:
            if a.HasField("g") and a.g.output:
                a.g.output[0].name = "nowhere"
                return
    return False


def inner_value_outside(m, r):
    for n in m.graph.node:
        for a in n.attribute:
            if a.HasField("g") and a.g.node and a.g.node[0].output[0]:
                m.graph.node.append(helper.make_node("Identity", [a.g.node[0].output[0]], ["peek"]))
                return
    return False


mutations = [f for name, f in list(globals().items()) if callable(f) and getattr(f, "__code__", None) and
             f.__code__.co_varnames[:2] == ("m", "r") and name != "node"]


def verdict(m):
    try:
        checker.check_model(m)
    except Exception as e:
        return "checked", e
    try:
        checker.check_model(m, full_check=True)
    except Exception as e:
        return "full", e
    return "accepted", ""


def main():
    source, folder = sys.argv[1], sys.argv[2]
    every = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    os.makedirs(folder, exist_ok=True)
    cases = sorted(glob.glob(os.path.join(source, "*", "model.onnx")))
    number = 0
    with open(os.path.join(folder, "verdicts.txt"), "w") as out:
        for k, change in enumerate(mutations):
            for i, path in enumerate(cases):
                if (i + 7 * k) % every and "subgraph" not in change.__name__ and "shadow" not in change.__name__ and "inner" not in change.__name__:
                    continue
                m = onnx.load(path)
                if verdict(m)[0] != "accepted":
                    continue
                if change(m, random.Random(i)) is False:
                    continue
                what, why = verdict(m)
                name = "%06d.onnx" % number
                number += 1
                with open(os.path.join(folder, name), "wb") as f:
                    f.write(m.SerializeToString())
                reason = " ".join(str(why).split())[:200]
                out.write("\t".join([name, change.__name__, os.path.basename(os.path.dirname(path)), what, reason]) + "\n")


main()
