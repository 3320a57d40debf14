package op

import (
	"testing"

	"graft/onnx"
)

// seq and optional are types for testNode's graph inputs.
func seqOf(elem string) onnx.TensorType      { return onnx.SequenceOf(parseType(elem)) }
func optionalOf(elem string) onnx.TensorType { return onnx.OptionalOf(parseType(elem)) }

func TestInferSequence(t *testing.T) {
	runInferTests(t, []inferTest{
		{op: "SequenceConstruct", in: []any{"float [N 3]", "float [N 3]"}, want: "seq(float [N 3])"},
		{op: "SequenceConstruct", in: []any{"float [2 3]", "float [4 3]"}, want: "seq(float [? 3])"},
		{op: "SequenceConstruct", in: []any{"float [2]", "float [4 3]"}, want: "seq(float [...])"},
		{op: "SequenceConstruct", in: []any{"float [2]", "int64 [2]"}, want: "error: SequenceConstruct: input 1: element types differ: float and int64"},
		{op: "SequenceConstruct", in: []any{seqOf("float [2]")}, want: "error: SequenceConstruct: input 0 is no tensor"},
		{op: "SequenceEmpty", want: "seq(float [...])"},
		{op: "SequenceEmpty", attrs: attrs(onnx.Int("dtype", 7)), want: "seq(int64 [...])"},
		{op: "SequenceEmpty", attrs: attrs(onnx.Int("dtype", 1<<40)), want: "error: SequenceEmpty: dtype = 1099511627776 is not an element type"},
		{op: "SequenceInsert", in: []any{seqOf("float [2 3]"), "float [2 4]"}, want: "seq(float [2 ?])"},
		{op: "SequenceInsert", in: []any{seqOf("float [2]"), "int8 [2]"}, want: "error: SequenceInsert: element types differ: float and int8"},
		{op: "SequenceErase", in: []any{seqOf("float [2]"), int64(0)}, want: "seq(float [2])"},
		{op: "SequenceAt", in: []any{seqOf("float [N 2]"), "int64 []"}, want: "float [N 2]"},
		{op: "SequenceAt", in: []any{"float [N 2]", "int64 []"}, want: "error: SequenceAt: input 0 is float [N 2], wants a sequence"},
		{op: "SequenceAt", in: []any{optionalOf("float [2]"), "int64 []"}, want: "error: SequenceAt: input 0 is optional(float [2]), wants a sequence"},
		{op: "SequenceLength", in: []any{seqOf("float [2]")}, want: "int64 []"},
		{op: "SplitToSequence", in: []any{"float [6 2]"}, want: "seq(float [1 2])"},
		{op: "SplitToSequence", in: []any{"float [6 2]"}, attrs: attrs(onnx.Int("keepdims", 0)), want: "seq(float [2])"},
		{op: "SplitToSequence", in: []any{"float [6 N]", int64(3)}, want: "seq(float [3 N])"},
		{op: "SplitToSequence", in: []any{"float [6 2]", int64(4)}, want: "seq(float [? 2])"},
		{op: "SplitToSequence", in: []any{"float [6 2]", []int64{3, 3}}, want: "seq(float [3 2])"},
		{op: "SplitToSequence", in: []any{"float [6 2]", []int64{3, 2}}, want: "error: SplitToSequence: sizes [3 2] add up to 5, the axis has 6"},
		{op: "SplitToSequence", in: []any{"float [6 2]", int64(0)}, want: "error: SplitToSequence: size 0 is not possible"},
		{op: "ConcatFromSequence", in: []any{seqOf("float [2 3]")}, attrs: attrs(onnx.Int("axis", 1)), want: "float [2 ?]"},
		{op: "ConcatFromSequence", in: []any{seqOf("float [2 3]")}, attrs: attrs(onnx.Int("axis", -1), onnx.Int("new_axis", 1)), want: "float [2 3 ?]"},
		{op: "ConcatFromSequence", in: []any{seqOf("float [2 3]")}, attrs: attrs(onnx.Int("axis", 2)), want: "error: ConcatFromSequence: axis 2 is outside rank 2"},
		{op: "Optional", in: []any{"float [2]"}, want: "optional(float [2])"},
		{op: "Optional", in: []any{seqOf("float [2]")}, want: "optional(seq(float [2]))"},
		{op: "Optional", attrs: attrs(onnx.Attr{Name: "type", Value: seqOf("int64 [2]")}), want: "optional(seq(int64 [2]))"},
		{op: "Optional", want: "error: Optional: neither an input nor a type is given"},
		{op: "OptionalGetElement", in: []any{optionalOf("float [2]")}, want: "float [2]"},
		{op: "OptionalGetElement", in: []any{"float [2]"}, want: "float [2]"},
		{op: "OptionalHasElement", in: []any{optionalOf("float [2]")}, want: "bool []"},
		{op: "Identity", in: []any{seqOf("float [2]")}, want: "seq(float [2])"},
		{op: "Add", in: []any{seqOf("float [2]"), "float [2]"}, want: "error: Add: input 0 is no tensor"},
	})
}

// TestInferMembers: where a sequence is made of values in the same graph, what is taken out of it is known exactly.
func TestInferMembers(t *testing.T) {
	g := onnx.NewGraph("g")
	x, y := g.AddInput("x", parseType("float [2 3]")), g.AddInput("y", parseType("float [N 3]"))
	s := g.Add("SequenceConstruct", []*onnx.Value{x, y}, 1).Output(0)
	at := g.Add("SequenceAt", []*onnx.Value{s, g.AddInitializer("", onnx.Scalar(int64(-1)))}, 1).Output(0)
	all := g.Add("ConcatFromSequence", []*onnx.Value{s}, 1, onnx.Int("axis", 0)).Output(0)
	stacked := g.Add("ConcatFromSequence", []*onnx.Value{s}, 1, onnx.Int("axis", 0), onnx.Int("new_axis", 1)).Output(0)
	if err := InferGraph(g); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		v    *onnx.Value
		want string
	}{{at, "float [N 3]"}, {all, "float [(N + 2) 3]"}, {stacked, "float [2 unk_1 3]"}} {
		if got := c.v.Type.String(); got != c.want {
			t.Errorf("%v: %s, want %s", c.v.Producer(), got, c.want)
		}
	}
}

// TestLoopBuildsSequence: a sequence that is empty before the loop holds what the body puts in.
func TestLoopBuildsSequence(t *testing.T) {
	g := onnx.NewGraph("g")
	x, trips := g.AddInput("x", parseType("float [N 4]")), g.AddInput("n", parseType("int64 []"))
	body := onnx.NewGraph("body")
	body.AddInput("i", onnx.TensorType{})
	c, s := body.AddInput("c", onnx.TensorType{}), body.AddInput("s", onnx.TensorType{})
	grown := body.Add("SequenceInsert", []*onnx.Value{s, body.Add("Relu", []*onnx.Value{x}, 1).Output(0)}, 1).Output(0)
	body.SetOutputs(c, grown)
	empty := g.Add("SequenceEmpty", nil, 1).Output(0)
	n := g.Add("Loop", []*onnx.Value{trips, nil, empty}, 1, onnx.Attr{Name: "body", Value: body})
	y := g.Add("ConcatFromSequence", []*onnx.Value{n.Output(0)}, 1, onnx.Int("axis", 1)).Output(0)
	if err := InferGraph(g); err != nil {
		t.Fatal(err)
	}
	if got := n.Output(0).Type.String() + ", " + y.Type.String(); got != "seq(float [N 4]), float [N unk_1]" {
		t.Error(got)
	}
}

// TestSequenceMap: the body sees elements, the outputs are sequences of what it gives.
func TestSequenceMap(t *testing.T) {
	g := onnx.NewGraph("g")
	s, x := g.AddInput("s", seqOf("float [N 4]")), g.AddInput("x", parseType("float [4]"))
	body := onnx.NewGraph("body")
	a, b := body.AddInput("a", onnx.TensorType{}), body.AddInput("b", onnx.TensorType{})
	body.SetOutputs(body.Add("Shape", []*onnx.Value{body.Add("Add", []*onnx.Value{a, b}, 1).Output(0)}, 1).Output(0))
	n := g.Add("SequenceMap", []*onnx.Value{s, x}, 1, onnx.Attr{Name: "body", Value: body})
	if err := InferGraph(g); err != nil || n.Output(0).Type.String() != "seq(int64 [2])" {
		t.Errorf("%v, %v", n.Output(0).Type, err)
	}
	if low, err := LowestOpset(g); err != nil || low != 17 {
		t.Errorf("lowest opset %d, %v", low, err)
	}
}

func TestInferRandomTaperTextVision(t *testing.T) {
	ngrams := attrs(onnx.Ints("ngram_indexes", 0, 4, 2))
	runInferTests(t, []inferTest{
		{op: "Bernoulli", in: []any{"float [N 3]"}, want: "float [N 3]"},
		{op: "Bernoulli", in: []any{"float [N 3]"}, attrs: attrs(onnx.Int("dtype", 9)), want: "bool [N 3]"},
		{op: "Multinomial", in: []any{"float [N 10]"}, attrs: attrs(onnx.Int("sample_size", 4)), want: "int32 [N 4]"},
		{op: "Multinomial", in: []any{"float [N 10]"}, attrs: attrs(onnx.Int("sample_size", -4)), want: "error: Multinomial: sample_size -4 is not possible"},
		{op: "Multinomial", in: []any{"float [N 10]"}, attrs: attrs(onnx.Int("dtype", 1)), want: "error: Multinomial: dtype = float is not possible"},
		{op: "RandomNormal", attrs: attrs(onnx.Ints("shape", 2, 3), onnx.Int("dtype", 11)), want: "double [2 3]"},
		{op: "RandomUniform", want: "error: RandomUniform: shape is missing"},
		{op: "RandomUniform", attrs: attrs(onnx.Ints("shape", 1<<40, 1<<40)), want: "error: RandomUniform: output [1099511627776 1099511627776] is too large"},
		{op: "RandomUniform", attrs: attrs(onnx.Ints("shape", -1)), want: "error: RandomUniform: -1 is not a size"},
		{op: "RandomNormalLike", in: []any{"int64 [N]"}, attrs: attrs(onnx.Int("dtype", 1)), want: "float [N]"},
		{op: "RandomUniformLike", in: []any{"int64 [N]"}, want: "error: RandomUniformLike: dtype is missing and the input is int64, which cannot be drawn"},
		{op: "HannWindow", in: []any{int64(7)}, want: "float [7]"},
		{op: "HannWindow", in: []any{"int64 []"}, attrs: attrs(onnx.Int("output_datatype", 11)), want: "double [?]"},
		{op: "BlackmanWindow", in: []any{int64(-7)}, want: "error: BlackmanWindow: size -7 is not possible"},
		{op: "HammingWindow", in: []any{"int64 [3]"}, want: "error: HammingWindow: size has shape [3], wants a scalar"},
		{op: "MelWeightMatrix", in: []any{int64(8), int64(16), int64(8192), float32(0), float32(4096)}, want: "float [9 8]"},
		{op: "ImageDecoder", in: []any{"uint8 [N]"}, attrs: attrs(onnx.Str("pixel_format", "Grayscale")), want: "uint8 [? ? 1]"},
		{op: "ImageDecoder", in: []any{"uint8 [N]"}, attrs: attrs(onnx.Str("pixel_format", "CMYK")), want: `error: ImageDecoder: pixel_format "CMYK" is not RGB, BGR or Grayscale`},
		{op: "NonMaxSuppression", in: []any{"float [1 6 4]", "float [1 2 6]"}, want: "int64 [? 3]"},
		{op: "NonMaxSuppression", in: []any{"float [1 6 4]", "float [1 2 5]"}, want: "error: NonMaxSuppression: boxes [1 6 4] and scores [1 2 5] do not match"},
		{op: "Unique", in: []any{"float [2 N]"}, outs: 4, want: "float [?]; int64 [?]; int64 [2*N]; int64 [?]"},
		{op: "Unique", in: []any{"float [2 N]"}, attrs: attrs(onnx.Int("axis", 1)), outs: 4, want: "float [2 ?]; int64 [?]; int64 [N]; int64 [?]"},
		{op: "Unique", in: []any{"float [2 N]"}, attrs: attrs(onnx.Int("axis", 2)), want: "error: Unique: axis 2 is outside rank 2"},
		{op: "BitCast", in: []any{"float [N]"}, attrs: attrs(onnx.Int("to", 6)), want: "int32 [N]"},
		{op: "BitCast", in: []any{"float [N]"}, attrs: attrs(onnx.Int("to", 7)), want: "error: BitCast: float has 32 bits, int64 has 64"},
		{op: "RegexFullMatch", in: []any{"string [N]"}, want: "bool [N]"},
		{op: "RegexFullMatch", in: []any{"float [N]"}, want: "error: RegexFullMatch: does not take float"},
		{op: "StringConcat", in: []any{"string [N 1]", "string [3]"}, want: "string [N 3]"},
		{op: "StringSplit", in: []any{"string [N 2]"}, outs: 2, want: "string [N 2 ?]; int64 [N 2]"},
		{op: "StringNormalizer", in: []any{"string [4]"}, want: "string [4]"},
		{op: "StringNormalizer", in: []any{"string [1 4]"}, attrs: attrs(onnx.Attr{Name: "stopwords", Value: []string{"a"}}), want: "string [1 ?]"},
		{op: "StringNormalizer", in: []any{"string [2 4]"}, want: "error: StringNormalizer: input has shape [2 4], wants [C] or [1 C]"},
		{op: "TfIdfVectorizer", in: []any{"int64 [N 12]"}, attrs: ngrams, want: "float [N 5]"},
		{op: "TfIdfVectorizer", in: []any{"int64 [12]"}, attrs: ngrams, want: "float [5]"},
		{op: "TfIdfVectorizer", in: []any{"int64 [12]"}, attrs: attrs(onnx.Ints("ngram_indexes", 1<<62)), want: "error: TfIdfVectorizer: ngram_indexes: 4611686018427387904 is not possible"},
		{op: "TopK", in: []any{"float [N 9]"}, attrs: attrs(onnx.Int("k", 3)), outs: 2, want: "float [N 3]; int64 [N 3]"},
	})
}
