package op

import (
	"testing"

	"graft/onnx"
)

func TestInferIf(t *testing.T) {
	g := onnx.NewGraph("g")
	x := g.AddInput("x", parseType("float [N 3]"))
	branch := func(op string, in ...*onnx.Value) *onnx.Graph {
		s := onnx.NewGraph(op)
		s.AddOutput(s.Add(op, in, 1).Output(0), "")
		return s
	}
	c := g.AddInput("c", parseType("bool []"))
	n := g.Add("If", []*onnx.Value{c}, 1,
		onnx.Attr{Name: "then_branch", Value: branch("Relu", x)}, onnx.Attr{Name: "else_branch", Value: branch("Transpose", x)})
	if err := InferGraph(g); err != nil || n.Output(0).Type.String() != "float [unk_1 unk_2]" {
		t.Errorf("If: %v, %v", n.Output(0).Type, err)
	}
	n.SetAttr(onnx.Attr{Name: "else_branch", Value: branch("Shape", x)})
	if err := InferGraph(g); err == nil || err.Error() != "infer unnamed node: If: output 0: element types differ: float and int64 (inputs bool [])" {
		t.Errorf("If with two types: %v", err)
	}
}

func TestInferLoop(t *testing.T) {
	g := onnx.NewGraph("g")
	x := g.AddInput("x", parseType("float [3]"))
	trips := g.AddInput("n", parseType("int64 []"))
	body := onnx.NewGraph("body")
	body.AddInput("i", onnx.TensorType{})
	cond := body.AddInput("c", onnx.TensorType{})
	v := body.AddInput("v", onnx.TensorType{Shape: onnx.NewShape(3)})
	body.AddOutput(body.Add("Identity", []*onnx.Value{cond}, 1).Output(0), "")
	body.AddOutput(body.Add("Relu", []*onnx.Value{v}, 1).Output(0), "")
	body.AddOutput(body.Add("ReduceSum", []*onnx.Value{v}, 1).Output(0), "")
	n := g.Add("Loop", []*onnx.Value{trips, nil, x}, 2, onnx.Attr{Name: "body", Value: body})
	if err := InferGraph(g); err != nil {
		t.Fatal(err)
	}
	if got := n.Output(0).Type.String() + ", " + n.Output(1).Type.String(); got != "float [3], float [unk_1 1]" {
		t.Errorf("Loop: %s", got)
	}
	low, err := LowestOpset(g)
	if err != nil || low != 11 {
		t.Errorf("lowest opset %d, %v", low, err)
	}
	n.SetInput(3, x)
	if err := InferGraph(g); err == nil {
		t.Error("Loop with more carried values than its body has is not refused")
	}
}

func TestInferQuantizeLossRecurrent(t *testing.T) {
	runInferTests(t, []inferTest{
		{op: "QuantizeLinear", in: []any{"float [N 3]", "float []", "int8 []"}, want: "int8 [N 3]"},
		{op: "QuantizeLinear", in: []any{"float [N 3]", "float []"}, want: "uint8 [N 3]"},
		{op: "QuantizeLinear", in: []any{"float [N 3]", "float []"}, attrs: attrs(onnx.Int("output_dtype", int64(onnx.Int4))), want: "int4 [N 3]"},
		{op: "QuantizeLinear", in: []any{"float [N 3]", "float []", "float []"}, want: "error: QuantizeLinear: does not take float"},
		{op: "DequantizeLinear", in: []any{"int8 [N 3]", "float []", "int8 []"}, want: "float [N 3]"},
		{op: "DequantizeLinear", in: []any{"int8 [N 3]", "float []", "uint8 []"}, want: "error: DequantizeLinear: input is int8, the zero point uint8"},
		{op: "DynamicQuantizeLinear", in: []any{"float [N 3]"}, outs: 3, want: "uint8 [N 3]; float []; uint8 []"},
		{op: "MatMulInteger", in: []any{"uint8 [N 3]", "int8 [3 4]"}, want: "int32 [N 4]"},
		{op: "ConvInteger", in: []any{"uint8 [1 1 3 3]", "uint8 [1 1 2 2]", "uint8 []"}, want: "int32 [1 1 2 2]"},
		{op: "QLinearConv", in: []any{"uint8 [1 1 3 3]", "float []", "uint8 []", "uint8 [1 1 2 2]", "float []", "uint8 []", "float []", "int8 []"}, want: "int8 [1 1 2 2]"},
		{op: "SoftmaxCrossEntropyLoss", in: []any{"float [N 10]", "int64 [N]"}, outs: 2, want: "float []; float [N 10]"},
		{op: "NegativeLogLikelihoodLoss", in: []any{"float [2 10 4]", "int64 [2 4]"}, attrs: attrs(onnx.Str("reduction", "none")), want: "float [2 4]"},
		{op: "NegativeLogLikelihoodLoss", in: []any{"float [2 10 4]", "int64 [2 5]"}, want: "error: NegativeLogLikelihoodLoss: scores [2 10 4] and classes [2 5] do not match"},
		{op: "GRU", in: []any{"float [7 N 4]", "float [2 15 4]", "float [2 15 5]"}, attrs: attrs(onnx.Str("direction", "bidirectional"), onnx.Int("hidden_size", 5)), outs: 2,
			want: "float [7 2 N 5]; float [2 N 5]"},
		{op: "LSTM", in: []any{"float [N 7 4]", "float [1 20 4]", "float [1 20 5]"}, attrs: attrs(onnx.Int("layout", 1)), outs: 3, want: "float [N 7 1 5]; float [N 1 5]; float [N 1 5]"},
		{op: "RNN", in: []any{"float [7 4]", "float [1 5 4]", "float [1 5 5]"}, want: "error: RNN: input has rank 2, wants 3"},
	})
}

func TestInferScan(t *testing.T) {
	g := onnx.NewGraph("g")
	h, x := g.AddInput("h", parseType("float [N 3]")), g.AddInput("x", parseType("float [N 4 T]"))
	body := onnx.NewGraph("body")
	state, part := body.AddInput("s", onnx.TensorType{}), body.AddInput("p", onnx.TensorType{})
	next := body.Add("Tanh", []*onnx.Value{state}, 1).Output(0)
	body.AddOutput(next, "")
	body.AddOutput(body.Add("Exp", []*onnx.Value{part}, 1).Output(0), "")
	n := g.Add("Scan", []*onnx.Value{h, x}, 2, onnx.GraphAttr("body", body), onnx.Int("num_scan_inputs", 1),
		onnx.Ints("scan_input_axes", -1), onnx.Ints("scan_output_axes", 1))
	if err := InferGraph(g); err != nil {
		t.Fatal(err)
	}
	if got := n.Output(0).Type.String() + ", " + n.Output(1).Type.String(); got != "float [N 3], float [N T 4]" {
		t.Errorf("Scan: %s", got)
	}
	if got := state.Type.String() + ", " + part.Type.String(); got != "float [N 3], float [N 4]" {
		t.Errorf("the body's inputs: %s", got)
	}
	if low, err := LowestOpset(g); err != nil || low != 11 {
		t.Errorf("lowest opset %d, %v", low, err)
	}
	n.SetAttr(onnx.Ints("scan_input_directions", 2))
	if err := InferGraph(g); err == nil {
		t.Error("direction 2 is not refused")
	}
	n.SetAttr(onnx.Ints("scan_input_directions", 1))
	n.SetInput(1, g.AddInput("v", parseType("float []")))
	if err := InferGraph(g); err == nil {
		t.Error("a scan over a scalar is not refused")
	}
}

func TestInferAttentionTypes(t *testing.T) {
	heads := attrs(onnx.Int("q_num_heads", 4), onnx.Int("kv_num_heads", 2))
	runInferTests(t, []inferTest{
		{op: "Attention", in: []any{"float [B 4 S 8]", "float [B 2 T 8]", "float [B 2 T 6]"}, want: "float [B 4 S 6]"},
		{op: "Attention", in: []any{"float [B S 32]", "float [B 5 16]", "float [B 5 12]", nil, "float [B 2 3 8]", "float [B 2 3 6]"}, attrs: heads, outs: 4,
			want: "float [B S 24]; float [B 2 8 8]; float [B 2 8 6]; float [B 4 S 8]"},
		{op: "Attention", in: []any{"float [B S 32]", "float [B 5 16]", "float [B 5 12]"}, want: "error: Attention: queries has rank 3, its number of heads is 0"},
		{op: "Attention", in: []any{"float [1 2 3 4]", "float [1 2 3 5]", "float [1 2 3 5]"}, want: "error: Attention: heads of queries have size 4, those of keys 5"},
		{op: "RotaryEmbedding", in: []any{"float [B 2 S 8]", "float [9 4]", "float [9 4]", "int64 [B S]"}, want: "float [B 2 S 8]"},
		{op: "RotaryEmbedding", in: []any{"float [B 2 S 8]", "float [9 4]", "float [9 4]"}, want: "error: RotaryEmbedding: input 1 has rank 2, wants 3"},
		{op: "LinearAttention", in: []any{"float [B T 32]", "float [B T 16]", "float [B T 12]"}, attrs: heads, outs: 2, want: "float [B T 24]; float [B 2 8 6]"},
		{op: "CausalConvWithState", in: []any{"float [B 3 T]", "float [3 1 4]"}, outs: 2, want: "float [B 3 T]; float [B 3 3]"},
	})
}
