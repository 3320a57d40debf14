package training

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"graft/onnx"
	"graft/runtime"
)

const contractFormat = 1

// Contract is contract.json: everything that a program needs to train with the artifacts.
type Contract struct {
	Format       int                `json:"format"`
	Producer     string             `json:"producer"`
	Loss         string             `json:"loss"`
	Optimizer    string             `json:"optimizer"`
	LossSettings map[string]float64 `json:"loss_settings,omitempty"`
	Settings     map[string]float64 `json:"optimizer_settings,omitempty"`
	LearningRate float64            `json:"learning_rate"` // the optimizer's usual one
	ClipNorm     float64            `json:"clip_norm,omitempty"`
	Output       string             `json:"output"`                // the output that the loss reads
	Target       ContractPort       `json:"target"`                // without a name where the loss compares with nothing
	Inputs       []ContractPort     `json:"inputs"`                // the user's, then what the loss reads besides
	LossInputs   []string           `json:"loss_inputs,omitempty"` // those of them that the loss alone reads
	Outputs      []ContractPort     `json:"outputs"`               // the user's, in the training model
	Parameters   []ContractPort     `json:"parameters"`
	Frozen       []string           `json:"frozen"` // parameters that stay constants of the models
	Buffers      []ContractPort     `json:"buffers"`
	// Slots: <p>.<slot> is an input of the optimizer, zero before step 1; the slot ema is then the parameter itself. What the
	// checkpoint of step 0 does not hold is as before step 1.
	Slots []string `json:"slots"`
	// Accumulate is how many batches make an update. The optimizer model is called once in so many, with the sum of their
	// gradients. The fused model is called for each: its step counts batches, and it has the slot accumulated, zero before
	// step 1.
	Accumulate int64   `json:"accumulate"`
	EMA        float64 `json:"ema,omitempty"` // weight of the old average in the slot ema
	// Dropout has the masks of the training and the fused model, which then both have the input step: it counts batches from 1.
	Dropout         *DropoutContract `json:"dropout,omitempty"`
	Teacher         *TeacherContract `json:"teacher,omitempty"`          // inside the training and the fused model
	StraightThrough bool             `json:"straight_through,omitempty"` // gradients pass what quantizes as if it did not round
	// Provider is the full name of the execution provider that forms of gradients were chosen for; absent: the CPU's.
	Provider string `json:"provider,omitempty"`
	// Deterministic says that gradients there are sums in an order that is always the same.
	Deterministic bool `json:"deterministic,omitempty"`
	// Precision is what products are computed in; absent: float. Float16 has the buffer loss_scale.
	Precision string                   `json:"precision,omitempty"`
	Models    map[string]ContractModel `json:"models"`
	Notes     []string                 `json:"notes"`
}

// DropoutContract says how a training form's masks are made.
type DropoutContract struct {
	Seed  uint64        `json:"seed"`
	Masks []DropoutMask `json:"masks"`
}

// TeacherContract says how much of the loss is the teacher's.
type TeacherContract struct {
	Weight      float64 `json:"weight"`
	Temperature float64 `json:"temperature"`
}

// fusedSlots lists the slots of the fused model.
func (c *Contract) fusedSlots() []string {
	if c.Accumulate > 1 {
		return append(slices.Clone(c.Slots), slotAccumulated)
	}
	return c.Slots
}

// ContractModel is one of the model files.
type ContractModel struct {
	File    string         `json:"file"`
	SHA256  string         `json:"sha256"`
	Opset   int64          `json:"opset"`
	Nodes   int            `json:"nodes"`
	Inputs  []ContractPort `json:"inputs"`
	Outputs []ContractPort `json:"outputs"`
}

// ContractPort is an input or output. A free dimension is its symbol, or "?".
type ContractPort struct {
	Name  string `json:"name"`
	DType string `json:"dtype"`
	Shape []any  `json:"shape"`
}

func port(v *onnx.Value) ContractPort {
	p := ContractPort{Name: v.Name, DType: v.Type.DType.String(), Shape: []any{}}
	for _, d := range v.Type.Shape {
		if d.Known() {
			p.Shape = append(p.Shape, d.Size)
		} else {
			p.Shape = append(p.Shape, d.String())
		}
	}
	return p
}

func ports(list []*onnx.Value) []ContractPort {
	out := make([]ContractPort, len(list))
	for i, v := range list {
		out[i] = port(v)
	}
	return out
}

// models pairs the artifacts with their files.
func (a *Artifacts) models() []struct {
	key, file string
	model     *onnx.Model
} {
	return []struct {
		key, file string
		model     *onnx.Model
	}{{"training", TrainingFile, a.Training}, {"eval", EvalFile, a.Eval}, {"optimizer", OptimizerFile, a.Optimizer}, {"fused", FusedFile, a.Fused.Model}}
}

// describe fills the contract in.
func (a *Artifacts) describe(p *plan) error {
	user, own := p.userInputs()
	c := Contract{Format: contractFormat, Producer: "graft", Loss: p.Loss.Name, Optimizer: p.Optimizer.Name,
		LossSettings: p.Loss.Values, Settings: p.Optimizer.Values, LearningRate: p.Optimizer.LearningRate, ClipNorm: p.ClipNorm, Output: p.output, Inputs: user, LossInputs: own, Parameters: ports(p.params),
		Frozen: []string{}, Buffers: ports(p.buffers), Slots: p.slotNames(false), Accumulate: max(p.Accumulate, 1), EMA: p.EMA, Models: map[string]ContractModel{},
		Notes: append([]string{}, p.notes...)}
	if p.target != "" {
		c.Target = port(&onnx.Value{Name: p.target, Type: p.targetType})
	} else {
		c.Target = ContractPort{Shape: []any{}}
	}
	if p.masks != nil {
		c.Dropout = &DropoutContract{Seed: p.DropoutSeed, Masks: p.masks}
	}
	if p.teacher != nil {
		c.Teacher = &TeacherContract{Weight: p.teacher.Weight, Temperature: p.teacher.Temperature}
	}
	c.StraightThrough = p.StraightThrough
	if name := runtime.ProviderName(p.Provider); name != runtime.CPU {
		c.Provider, c.Deterministic = name, p.Deterministic
	}
	if d := p.Precision; d != onnx.Undefined && d != onnx.Float {
		c.Precision = d.String()
	}
	for _, v := range p.frozen {
		c.Frozen = append(c.Frozen, v.Name)
	}
	outputs := a.Training.Graph.Outputs()
	c.Outputs = ports(outputs[1 : 1+len(p.base.Graph.Outputs())])
	a.encoded = map[string][]byte{}
	for _, m := range a.models() {
		hash, err := a.encode(m.key, m.model)
		if err != nil {
			return err
		}
		c.Models[m.key] = ContractModel{File: m.file, SHA256: hash, Opset: m.model.Opset(""), Nodes: m.model.Graph.NumNodes(),
			Inputs: ports(m.model.Graph.Inputs()), Outputs: ports(m.model.Graph.Outputs())}
	}
	a.Fused.fingerprint = c.Models["fused"].SHA256
	a.Contract = c
	return nil
}

// userInputs are the inputs that a caller feeds, then those that the loss alone reads, whose names follow.
func (p *plan) userInputs() (user []ContractPort, own []string) {
	user = []ContractPort{}
	for _, v := range p.base.Graph.Inputs() {
		if !v.IsInitializer() {
			user = append(user, port(v))
		}
	}
	if p.lossModel != nil {
		user, own = append(user, ports(p.lossModel.more)...), portNames(p.lossModel.more)
	}
	return user, own
}

// encode gives the SHA-256 of a model's file. Of a model with few weights it keeps the file for Write.
func (a *Artifacts) encode(key string, m *onnx.Model) (string, error) {
	const most = 16 << 20
	weights := 0
	for _, v := range m.Graph.Initializers() {
		if v.Const != nil {
			weights += len(v.Const.Data)
		}
	}
	if weights <= most {
		data, err := m.Encode()
		a.encoded[key] = data
		return hashOf(data), err
	}
	sum := sha256.New()
	err := m.EncodeTo(sum)
	return hex.EncodeToString(sum.Sum(nil)), err
}
