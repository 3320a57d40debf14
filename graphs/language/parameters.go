package language

import (
	"fmt"
	"math"
	"strings"

	"graft/onnx"
	"graft/onnx/noise"
)

// Parameter is a weight that a model wants.
type Parameter struct {
	Name string
	Dims []int64
	Fill Fill // how it begins where it is not given
}

// Fill says what a parameter begins as.
type Fill uint8

// The fills.
const (
	Normal Fill = iota // N(0, deviation²)
	Zeros
	Ones
)

// list gathers the parameters of a form of a model.
type list struct {
	Config
	Options
	all []Parameter
}

func (l *list) add(name string, fill Fill, dims ...int64) {
	l.all = append(l.all, Parameter{name, dims, fill})
}

// table is that of an embedding.
func (l *list) table(name string, rows, width int64) { l.add(name+".weight", Normal, rows, width) }

// linear has a weight [out, in], as PyTorch's.
func (l *list) linear(name string, in, out int64, bias bool) {
	l.add(name+".weight", Normal, out, in)
	if bias {
		l.add(name+".bias", Zeros, out)
	}
}

// conv1d has a weight [in, out], as GPT-2's.
func (l *list) conv1d(name string, in, out int64) {
	l.add(name+".weight", Normal, in, out)
	l.add(name+".bias", Zeros, out)
}

// attention has the weights of a layer's heads, and what their outputs are multiplied by. Where no head is left that is a bias alone.
func (l *list) attention(layer int, of []string, out string, bias bool) {
	h, width := l.HiddenSize, l.HeadDim
	heads, kv := width*int64(len(l.Heads(int64(layer)))), width*int64(len(l.KeyValueHeads(int64(layer))))
	if heads == 0 {
		if bias {
			l.add(out+".bias", Zeros, h)
		}
		return
	}
	l.linear(of[0], h, heads, bias)
	l.linear(of[1], h, kv, bias)
	l.linear(of[2], h, kv, bias)
	l.linear(out, heads, h, bias)
}

// norm is that of LayerNormalization.
func (l *list) norm(name string) {
	l.add(name+".weight", Ones, l.HiddenSize)
	l.add(name+".bias", Zeros, l.HiddenSize)
}

// Parameters lists what Build wants, in the order of Hugging Face's state dict.
func (c Config) Parameters(o Options) ([]Parameter, error) {
	c = c.Defaults()
	a, err := architectureOf(c.ModelType)
	if err != nil {
		return nil, err
	}
	if err := c.Check(); err != nil {
		return nil, oneLine(c.ModelType, err)
	}
	if err := o.check(c, a); err != nil {
		return nil, err
	}
	l := &list{Config: c, Options: o}
	a.parameters(l)
	return l.all, nil
}

// oneLine joins what is wrong with a model.
func oneLine(model string, err error) error {
	return fmt.Errorf("%s: %s", model, strings.ReplaceAll(err.Error(), "\n", "; "))
}

// Deviation is that of the weights that transformers begins with.
const Deviation = 0.02

// Fresh gives weights that are drawn from a seed, each from a sequence of its own.
func Fresh(seed uint64, deviation float64) func(Parameter) (*onnx.Tensor, error) {
	return func(p Parameter) (*onnx.Tensor, error) {
		t := onnx.NewTensor(onnx.Float, p.Dims...)
		data := t.Float32s()
		switch p.Fill {
		case Normal:
			noise.Normal(data, noise.NewKey(seed, "init/"+p.Name, 0))
			for i, v := range data {
				data[i] = float32(float64(v) * deviation)
			}
		case Ones:
			for i := range data {
				data[i] = 1
			}
		}
		return t, nil
	}
}

// inverseRoot is 1/sqrt(n).
func inverseRoot(n int64) float64 { return 1 / math.Sqrt(float64(n)) }
