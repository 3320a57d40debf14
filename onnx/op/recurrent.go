package op

import (
	"fmt"

	"graft/onnx"
)

var recurrentAttributes = []string{"activation_alpha", "activation_beta", "activations", "clip", "direction", "hidden_size", "layout"}

var recurrent = []Schema{
	row("RNN", 7, 3, 6, floats22, inferRecurrent, recurrentAttributes...).outs(2).lowest(recurrentLowest),
	row("GRU", 7, 3, 6, floats22, inferRecurrent, append([]string{"linear_before_reset"}, recurrentAttributes...)...).outs(2).lowest(recurrentLowest),
	row("LSTM", 7, 3, 8, floats22, inferRecurrent, append([]string{"input_forget"}, recurrentAttributes...)...).outs(3).lowest(recurrentLowest),
}

// recurrentLowest: layout came with 14.
func recurrentLowest(n *onnx.Node) int64 {
	if _, ok := n.Attr("layout"); ok {
		return 14
	}
	return 7
}

// inferRecurrent: x [seq,batch,input] gives all states [seq,dirs,batch,hidden] and the last ones [dirs,batch,hidden];
// with layout 1 batch comes first in each.
func inferRecurrent(n *onnx.Node) ([]onnx.TensorType, error) {
	d, x := dtypeOf(n, 0), shapeOf(n, 0)
	if x.Ranked() && len(x) != 3 {
		return nil, fmt.Errorf("input has rank %d, wants 3", len(x))
	}
	dirs := size(1)
	switch v := onnx.AttrOr(n, "direction", "forward"); v {
	case "forward", "reverse":
	case "bidirectional":
		dirs = size(2)
	default:
		return nil, fmt.Errorf("direction %q is not known", v)
	}
	hidden := onnx.UnknownDim
	if r := shapeOf(n, 2); r.Ranked() { // recurrent weights [dirs, gates*hidden, hidden]
		if len(r) != 3 {
			return nil, fmt.Errorf("recurrent weight has rank %d, wants 3", len(r))
		}
		hidden = r[2]
	}
	if h := onnx.AttrOr(n, "hidden_size", int64(0)); h != 0 {
		if h < 0 || h > maxParam {
			return nil, fmt.Errorf("hidden_size %d is not possible", h)
		}
		if hidden.Known() && hidden.Size != h {
			return nil, fmt.Errorf("hidden_size is %d, the recurrent weight has %v", h, hidden)
		}
		hidden = size(h)
	}
	seq, batch := onnx.UnknownDim, onnx.UnknownDim
	batchFirst := onnx.AttrOr(n, "layout", int64(0)) != 0
	if x.Ranked() {
		seq, batch = x[0], x[1]
		if batchFirst {
			seq, batch = batch, seq
		}
	}
	all, last := onnx.Shape{seq, dirs, batch, hidden}, onnx.Shape{dirs, batch, hidden}
	if batchFirst {
		all, last = onnx.Shape{batch, seq, dirs, hidden}, onnx.Shape{batch, dirs, hidden}
	}
	return []onnx.TensorType{{DType: d, Shape: all}, {DType: d, Shape: last}, {DType: d, Shape: last.Clone()}}[:min(max(n.NumOutputs(), 1), 3)], nil
}
