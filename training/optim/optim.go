package optim

import (
	"fmt"
	"strings"

	"graft/onnx"
	"graft/onnx/op"
	"graft/training/setting"
)

// Optimizer is a way to step: one node builder and the state that it carries from step to step.
type Optimizer struct {
	Name string
	// Slots names the state tensors of a parameter, each of its type and zero before the first step.
	Slots []string
	// LearningRate is the usual one.
	LearningRate float64
	// Values are the settings that Update is made with, where a table made it.
	Values setting.Values
	// Update adds the next p, and the next slots, after a step along the gradient g, of p's type. learningRate is float[1];
	// step is int64[1] and counts from 1.
	Update func(b *op.Builder, p, g *onnx.Value, slots []*onnx.Value, learningRate, step *onnx.Value) (next *onnx.Value, nextSlots []*onnx.Value)
}

// Row is an optimizer of the table: its settings, and how it is made of them.
type Row struct {
	Name     string
	Settings []setting.Setting
	Make     func(setting.Values) Optimizer
}

// Catalog lists the optimizers.
var Catalog = []Row{
	{"sgd", sgdSettings(0), sgdOf("sgd", false)},
	{"heavy-ball", sgdSettings(0.9), sgdOf("heavy-ball", false)},
	{"nesterov", sgdSettings(0.9), sgdOf("nesterov", true)},
	{"adam", adamSettings(1e-8, 0), adamOf("adam", false)},
	{"adamw", adamSettings(1e-8, 0.01), adamOf("adamw", true)},
	{"adamw-late", adamSettings(1e-6, 0), adamLateOf},
	{"rmsprop", rmspropSettings, rmspropOf},
	{"adagrad", adagradSettings, adagradOf},
	{"lion", lionSettings, lionOf},
}

// Lookup finds an optimizer with its usual settings by name.
func Lookup(name string) (Optimizer, error) { return New(name, nil) }

// New makes an optimizer of the table with the settings given, and its usual ones for the rest.
func New(name string, settings map[string]float64) (Optimizer, error) {
	names := make([]string, len(Catalog))
	for i, row := range Catalog {
		if row.Name == name {
			values, err := setting.Resolve(row.Settings, settings)
			if err != nil {
				return Optimizer{}, fmt.Errorf("optimizer %s: %w", name, err)
			}
			o := row.Make(values)
			o.Values = values
			return o, nil
		}
		names[i] = row.Name
	}
	return Optimizer{}, fmt.Errorf("optimizer %q: no such optimizer, there are %s", name, strings.Join(names, ", "))
}

// Settings that several optimizers have.
func momentum(def float64) setting.Setting {
	return setting.Setting{Name: "momentum", Usage: "part of the last step that is kept", Default: def, High: 1}
}

func weightDecay(def float64) setting.Setting {
	return setting.Setting{Name: "weight-decay", Usage: "pull of the parameters towards zero", Default: def, High: 1000}
}

func epsilon(def float64) setting.Setting {
	return setting.Setting{Name: "eps", Usage: "what is added to a denominator", Default: def, High: 1}
}

func beta(i string, def float64) setting.Setting {
	usage := map[string]string{"1": "decay of the mean of gradients", "2": "decay of the mean of their squares"}[i]
	return setting.Setting{Name: "beta" + i, Usage: usage, Default: def, High: 1}
}

// decayed is g + w p, the gradient with weight decay w.
func decayed(b *op.Builder, g, p *onnx.Value, w float64) *onnx.Value {
	if w == 0 {
		return g
	}
	return b.Add(g, times(b, p, w))
}

// like converts v, a value of one element, to the element type of p.
func like(b *op.Builder, v, p *onnx.Value) *onnx.Value {
	if b.Err() != nil || v.Type.DType == p.Type.DType {
		return v
	}
	return b.Cast(v, p.Type.DType)
}

// times is k v; v itself for k = 1.
func times(b *op.Builder, v *onnx.Value, k float64) *onnx.Value {
	if k == 1 {
		return v
	}
	return b.Mul(v, b.Scalar(v, k))
}
