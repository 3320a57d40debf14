package prosocial

import (
	"fmt"
	"math"
	"regexp"
	"strings"

	"graft/onnx"
	"graft/onnx/noise"
	"graft/onnx/op"
)

// Adapter adds to matrices of a network the product of two thin ones, which alone are trained (LoRA, Hu et al. 2021, arXiv
// 2106.09685, section 4.1):
//
//	y = x W' + (alpha/r) (x A') B',   A [r, in] by chance, B [out, r] of zeros
//
// What a task adds to the network is trained beside them.
type Adapter struct {
	Rank    int64          // r
	Alpha   float64        // 0: twice the rank
	Targets *regexp.Regexp // of matrices, by name; nil: all of the layers
}

// layerMatrices are those of attention and feed-forward networks.
var layerMatrices = regexp.MustCompile(`\.(layer|layers|h)\.\d+\..*\.weight$`)

// taskWeights are those that a task adds to a language model.
var taskWeights = regexp.MustCompile(`^(classifier|pre_classifier|score)\.`)

// Parts of names of the two matrices, as the PEFT library has them.
const (
	downPart = ".lora_A.weight"
	upPart   = ".lora_B.weight"
)

func (a *Adapter) factor() float64 {
	if a.Alpha == 0 {
		return 2
	}
	return a.Alpha / float64(a.Rank)
}

func (a *Adapter) adapts(name string) bool {
	if a.Targets != nil {
		return a.Targets.MatchString(name)
	}
	return layerMatrices.MatchString(name)
}

// trained are the parameters that are trained.
func (a *Adapter) trained() *regexp.Regexp {
	return regexp.MustCompile(strings.Join([]string{regexp.QuoteMeta(downPart) + "$", regexp.QuoteMeta(upPart) + "$", taskWeights.String()}, "|"))
}

// add rewrites a network that was built.
func (a *Adapter) add(m *onnx.Model, seed uint64) error {
	if a.Rank < 1 {
		return fmt.Errorf("adapter of rank %d: wants 1 or more", a.Rank)
	}
	found := 0
	b := op.NewBuilder(m.Graph)
	for _, n := range m.Graph.Nodes() {
		if !n.Is("Gemm") || !n.Input(1).IsInitializer() || !a.adapts(n.Input(1).Name) {
			continue
		}
		w := n.Input(1)
		in, out := w.Const.Dims[0], w.Const.Dims[1]
		if onnx.AttrOr(n, "transB", int64(0)) == 1 {
			in, out = out, in
		}
		if a.Rank > min(in, out) {
			return fmt.Errorf("adapter of rank %d for %s %v", a.Rank, w.Name, w.Const.Dims)
		}
		module := strings.TrimSuffix(w.Name, ".weight")
		down := m.Graph.AddInitializer(module+downPart, uniform(seed, module+downPart, 1/math.Sqrt(float64(in)), a.Rank, in))
		up := m.Graph.AddInitializer(module+upPart, onnx.NewTensor(onnx.Float, out, a.Rank))
		y := n.Output(0)
		s := b.In(module + ".lora")
		thin := s.Gemm(n.Input(0), down, nil, op.GemmAttrs{TransB: true})
		sum := s.Gemm(thin, up, y, op.GemmAttrs{TransB: true, Alpha: float32(a.factor()), Beta: 1})
		if err := b.Err(); err != nil {
			return err
		}
		keep := sum.Producer()
		if err := m.Graph.ReplaceUses(y, sum); err != nil {
			return err
		}
		keep.SetInput(2, y)
		found++
	}
	if found == 0 {
		return fmt.Errorf("adapter: no matrix of %s is among its targets", m.Graph.Name)
	}
	return nil
}

// uniform is drawn evenly from -bound to bound.
func uniform(seed uint64, name string, bound float64, dims ...int64) *onnx.Tensor {
	t := onnx.NewTensor(onnx.Float, dims...)
	noise.Uniform(t.Float32s(), noise.NewKey(seed, "init/"+name, 0))
	for i, u := range t.Float32s() {
		t.Float32s()[i] = float32((2*float64(u) - 1) * bound)
	}
	return t
}

// merge adds the products to the matrices: what comes of training is a network as it was, without an adapter. Weights of a task go
// in as they are.
func (a *Adapter) merge(n *Network, trained []*onnx.Tensor) (*Network, error) {
	parts := map[string]*onnx.Tensor{}
	var task []*onnx.Tensor
	for _, t := range trained {
		parts[t.Name] = t
		if taskWeights.MatchString(t.Name) {
			task = append(task, t)
		}
	}
	out := n.with(task)
	for name, up := range parts {
		module, ok := strings.CutSuffix(name, upPart)
		if !ok {
			continue
		}
		down, w := parts[module+downPart], n.Weights[module+".weight"]
		if down == nil || w == nil {
			return nil, fmt.Errorf("adapter of %s has no counterpart", module)
		}
		sum := w.Clone()
		a.product(sum, up, down, n.transposed())
		out.Weights[module+".weight"] = sum
	}
	return out, nil
}

// transposed reports whether matrices are [in, out], as GPT-2's are.
func (n *Network) transposed() bool { return n.Config.ModelType == "gpt2" }

// product adds (alpha/r) B A to w [out, in], or its transpose to w [in, out].
func (a *Adapter) product(w, up, down *onnx.Tensor, transposed bool) {
	rank, in, out := int(a.Rank), int(down.Dims[1]), int(up.Dims[0])
	x, u, d := w.Float32s(), up.Float32s(), down.Float32s()
	row := make([]float64, in)
	for i := range out {
		clear(row)
		for k := range rank {
			f := a.factor() * float64(u[i*rank+k])
			for j, v := range d[k*in : (k+1)*in] {
				row[j] += f * float64(v)
			}
		}
		for j, v := range row {
			at := i*in + j
			if transposed {
				at = j*out + i
			}
			x[at] = float32(float64(x[at]) + v)
		}
	}
}

// Trained is how many numbers a tuning trains.
func (n *Network) Trained(c Tuning) (int64, error) {
	gated, err := n.with(nil).gated(c)
	if err != nil {
		return 0, err
	}
	return gated.Packing().Len(), nil
}
