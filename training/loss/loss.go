package loss

import (
	"fmt"
	"strings"

	"graft/onnx"
	"graft/onnx/op"
	"graft/training/setting"
)

// Func adds the mean loss of output against target to b's graph and gives it, a scalar of output's element type.
type Func func(b *op.Builder, output, target *onnx.Value) *onnx.Value

// Loss is what training makes small: a function of one output and its target, or a model.
type Loss struct {
	Name   string
	Target string // what the target is
	// Labels says that the target is int64 classes, one for each position of the output without the axis of the classes.
	Labels bool
	// Behind lists operators whose results are not what the loss wants, while their input is: a Softmax behind logits.
	Behind []string
	Build  Func
	Values setting.Values // what Build is made with

	// Model is a loss given as a model, in place of Build: its one output, a float scalar, is the loss.
	Model *onnx.Model
}

// ClassAxis is the axis of an output of so many dimensions along which the classes of labels are.
func (l Loss) ClassAxis(rank int) int {
	if l.Values[ClassAxis] < 0 {
		return rank - 1
	}
	return 1
}

// Row is a loss of the table: its settings, and how it is made of them.
type Row struct {
	Loss     Loss // without Build
	Settings []setting.Setting
	Make     func(setting.Values) Func
}

const sameAsOutput = "shape and type of the output"

// Catalog lists the losses.
var Catalog = []Row{
	{Loss{Name: "mse", Target: sameAsOutput}, nil, plain(MSE)},
	{Loss{Name: "l1", Target: sameAsOutput}, nil, plain(L1)},
	{Loss{Name: "cross-entropy", Target: "int64 classes, the output's shape without the axis of the classes", Labels: true, Behind: []string{"Softmax", "LogSoftmax"}},
		crossEntropySettings, crossEntropyOf},
	{Loss{Name: "bce-with-logits", Target: "probabilities, " + sameAsOutput, Behind: []string{"Sigmoid"}}, nil, plain(BCEWithLogits)},
	{Loss{Name: "smooth-l1", Target: sameAsOutput}, smoothL1Settings, smoothL1Of},
	{Loss{Name: "huber", Target: sameAsOutput}, huberSettings, huberOf},
	{Loss{Name: "kl-div", Target: "probabilities, " + sameAsOutput + ", which is logarithms of probabilities"}, nil, plain(KLDiv)},
}

// OfModel is the loss that a model computes.
func OfModel(name string, m *onnx.Model) Loss { return Loss{Name: name, Model: m} }

// Lookup finds a loss with its usual settings by name.
func Lookup(name string) (Loss, error) { return New(name, nil) }

// New makes a loss of the table with the settings given, and its usual ones for the rest.
func New(name string, settings map[string]float64) (Loss, error) {
	names := make([]string, len(Catalog))
	for i, row := range Catalog {
		if row.Loss.Name == name {
			values, err := setting.Resolve(row.Settings, settings)
			if err != nil {
				return Loss{}, fmt.Errorf("loss %s: %w", name, err)
			}
			l := row.Loss
			l.Values, l.Build = values, row.Make(values)
			return l, nil
		}
		names[i] = row.Loss.Name
	}
	return Loss{}, fmt.Errorf("loss %q: no such loss, there are %s", name, strings.Join(names, ", "))
}

// plain is a loss without settings.
func plain(f Func) func(setting.Values) Func { return func(setting.Values) Func { return f } }
