package op

import (
	"fmt"

	"graft/onnx"
)

var text20 = accepted{{20, text}}

// Operators on strings.
var texts = []Schema{
	row("RegexFullMatch", 20, 1, 1, text20, toBool, "pattern"),
	row("StringConcat", 20, 2, 2, text20, broadcast),
	row("StringSplit", 20, 1, 1, text20, inferStringSplit, "delimiter", "maxsplit").outs(2),
	row("StringNormalizer", 10, 1, 1, accepted{{10, text}}, inferStringNormalizer, "case_change_action", "is_case_sensitive", "locale", "stopwords"),
	row("TfIdfVectorizer", 9, 1, 1, accepted{{9, text | setOf(onnx.Int32, onnx.Int64)}}, inferTfIdf, "max_gram_length", "max_skip_count",
		"min_gram_length", "mode", "ngram_counts", "ngram_indexes", "pool_int64s", "pool_strings", "weights"),
}

// inferStringSplit: the pieces of each string along a new last axis, and how many there are of each.
func inferStringSplit(n *onnx.Node) ([]onnx.TensorType, error) {
	types := []onnx.TensorType{{DType: onnx.String}, {DType: onnx.Int64, Shape: shapeOf(n, 0).Clone()}}
	if x := shapeOf(n, 0); x.Ranked() {
		types[0].Shape = append(x.Clone(), onnx.UnknownDim)
	}
	return types, nil
}

// inferStringNormalizer: [C] or [1, C] without the stop words, of which one empty string is left if it was nothing else.
func inferStringNormalizer(n *onnx.Node) ([]onnx.TensorType, error) {
	x := shapeOf(n, 0)
	if !x.Ranked() {
		return one(onnx.String, nil), nil
	}
	if len(x) != 1 && !(len(x) == 2 && (x[0] == size(1) || !x[0].Known())) {
		return nil, fmt.Errorf("input has shape %v, wants [C] or [1 C]", x)
	}
	s := x.Clone()
	if last := len(s) - 1; len(onnx.AttrOr[[]string](n, "stopwords", nil)) > 0 {
		s[last] = onnx.UnknownDim
	} else if s[last] == size(0) {
		s[last] = size(1)
	}
	if len(s) == 2 {
		s[0] = size(1)
	}
	return one(onnx.String, s), nil
}

// inferTfIdf: [C] or [N, C] to as many columns as the largest of ngram_indexes says.
func inferTfIdf(n *onnx.Node) ([]onnx.TensorType, error) {
	x, columns := shapeOf(n, 0), int64(0)
	indexes := onnx.AttrOr[[]int64](n, "ngram_indexes", nil)
	if len(indexes) == 0 {
		return nil, fmt.Errorf("ngram_indexes is missing")
	}
	for _, i := range indexes {
		if i < 0 || i >= maxSize {
			return nil, fmt.Errorf("ngram_indexes: %d is not possible", i)
		}
		columns = max(columns, i+1)
	}
	switch {
	case !x.Ranked():
		return one(onnx.Float, nil), nil
	case len(x) == 1:
		return one(onnx.Float, onnx.NewShape(columns)), nil
	case len(x) == 2:
		return one(onnx.Float, onnx.Shape{x[0], size(columns)}), nil
	}
	return nil, fmt.Errorf("input has rank %d, wants 1 or 2", len(x))
}
