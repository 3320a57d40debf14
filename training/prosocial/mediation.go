package prosocial

import (
	"context"
	"fmt"
	"math"

	"graft/graphs/language"
	"graft/onnx"
	"graft/runtime"
)

// Prompt is a text whose continuation shows a stereotype, and the same with an intervention: "the nurse said that ..." and "the man
// said that ...", with as many tokens.
type Prompt struct {
	Base, Swapped    []int64
	At               int    // the token whose logits are read: what is masked, or the last one before what follows
	Stereotype, Anti int64  // tokens that may stand there
	Word             string // the word that it asks about; prompts of one word follow each other. "": a word of its own
}

// Effect is what a head mediates, with y = p(anti-stereotype)/p(stereotype), y of a prompt, y_set of the prompt under the intervention
// and y_h of the prompt with what head h makes under the intervention in the place of what it makes (Vig et al. 2020).
type Effect struct {
	Head  Head    `json:"head"`
	Ratio float64 `json:"nie"`     // natural indirect effect: mean y_h/y - 1
	Log   float64 `json:"log_nie"` // mean log(y_h/y)
}

// Effects are those of all heads.
type Effects struct {
	Heads   []Effect `json:"heads"`
	Ratio   float64  `json:"te"`     // total effect: mean y_set/y - 1
	Log     float64  `json:"log_te"` // mean log(y_set/y)
	Prompts int      `json:"prompts"`
}

// Mediator patches heads of a network.
type Mediator struct {
	network *Network
	session *runtime.Session
}

// NewMediator opens a network for a task whose logits are of tokens.
func (n *Network) NewMediator(task string, o runtime.Options) (*Mediator, error) {
	m, err := n.Build(language.Options{Task: task, Gates: language.GatesSample, Patches: true, HeadOutputs: true})
	if err != nil {
		return nil, err
	}
	s, err := runtime.OpenModel(m, o)
	if err != nil {
		return nil, err
	}
	return &Mediator{n, s}, nil
}

// Close frees the session.
func (m *Mediator) Close() error { return m.session.Close() }

// patched are a batch's gates [rows, heads] and patches [rows, heads, length, width] by layer.
type patched struct {
	rows    [][]int64
	gates   [][]float32
	patches []*onnx.Tensor
}

// plain is a batch in which every head goes on with its own.
func (m *Mediator) plain(rows [][]int64) *patched {
	c := m.network.Config
	p := &patched{rows: rows}
	for l := range c.NumHiddenLayers {
		heads := int64(len(c.Heads(l)))
		if heads == 0 {
			p.gates, p.patches = append(p.gates, nil), append(p.patches, nil)
			continue
		}
		g := make([]float32, int64(len(rows))*heads)
		for i := range g {
			g[i] = 1
		}
		p.gates = append(p.gates, g)
		p.patches = append(p.patches, onnx.NewTensor(onnx.Float, int64(len(rows)), heads, int64(len(rows[0])), c.HeadDim))
	}
	return p
}

func (m *Mediator) run(ctx context.Context, p *patched) (logits *onnx.Tensor, heads []*onnx.Tensor, err error) {
	c := m.network.Config
	ids := []int64{}
	for _, row := range p.rows {
		ids = append(ids, row...)
	}
	feeds := textFeeds(c.ModelType, ids, len(p.rows))
	names := []string{"logits"}
	for l := range p.gates {
		if p.gates[l] == nil {
			continue
		}
		feeds[fmt.Sprintf("head_gates.%d", l)] = onnx.FromSlice(p.gates[l], int64(len(p.rows)), int64(len(c.Heads(int64(l)))), 1, 1)
		feeds[fmt.Sprintf("head_patches.%d", l)] = p.patches[l]
		names = append(names, fmt.Sprintf("head_outputs.%d", l))
	}
	out, err := m.session.Run(ctx, feeds, names...)
	if err != nil {
		return nil, nil, err
	}
	for l := range p.gates {
		heads = append(heads, out[fmt.Sprintf("head_outputs.%d", l)])
	}
	return out["logits"], heads, nil
}

// textFeeds are the inputs of rows of equal length that nothing fills up.
func textFeeds(modelType string, ids []int64, rows int) map[string]*onnx.Tensor {
	dims := []int64{int64(rows), int64(len(ids) / rows)}
	mask := onnx.NewTensor(onnx.Int64, dims...)
	for i := range mask.Int64s() {
		mask.Int64s()[i] = 1
	}
	feeds := map[string]*onnx.Tensor{"input_ids": onnx.FromSlice(ids, dims...), "attention_mask": mask}
	if language.HasSegments(modelType) {
		feeds["token_type_ids"] = onnx.NewTensor(onnx.Int64, dims...)
	}
	return feeds
}

// logRatio is log(p(a)/p(b)) at a token of a row of logits.
func logRatio(logits *onnx.Tensor, row, at int, a, b int64) float64 {
	v := logits.Dims[2]
	x := logits.Float32s()[(int64(row)*logits.Dims[1]+int64(at))*v:]
	return float64(x[a]) - float64(x[b])
}

// rowsAtOnce bounds the memory of a run.
const rowsAtOnce = 64

// Effects patches every head, one at a time and at all tokens, in every prompt.
func (m *Mediator) Effects(ctx context.Context, prompts []Prompt) (*Effects, error) {
	return m.EffectsTold(ctx, prompts, nil)
}

// EffectsTold is Effects, and calls told after every prompt; nil: never.
func (m *Mediator) EffectsTold(ctx context.Context, prompts []Prompt, told func(prompts int)) (*Effects, error) {
	if len(prompts) == 0 {
		return nil, fmt.Errorf("effects of heads: no prompts")
	}
	all := m.network.Heads()
	out := &Effects{Prompts: len(prompts)}
	for _, h := range all {
		out.Heads = append(out.Heads, Effect{Head: h})
	}
	n := float64(len(prompts))
	for i, p := range prompts {
		if len(p.Base) != len(p.Swapped) || p.At < 0 || p.At >= len(p.Base) {
			return nil, fmt.Errorf("effects of heads: prompt %d has %d tokens, under the intervention %d, and is read at %d", i+1, len(p.Base), len(p.Swapped), p.At+1)
		}
		logits, made, err := m.run(ctx, m.plain([][]int64{p.Base, p.Swapped}))
		if err != nil {
			return nil, err
		}
		null := logRatio(logits, 0, p.At, p.Anti, p.Stereotype)
		set := logRatio(logits, 1, p.At, p.Anti, p.Stereotype) - null
		out.Log += set / n
		out.Ratio += math.Expm1(set) / n
		err = m.each(ctx, p.Base, made, func(h int, logits *onnx.Tensor, row int) {
			y := logRatio(logits, row, p.At, p.Anti, p.Stereotype) - null
			out.Heads[h].Log += y / n
			out.Heads[h].Ratio += math.Expm1(y) / n
		})
		if err != nil {
			return nil, err
		}
		if told != nil {
			told(i + 1)
		}
	}
	return out, nil
}

// each runs a text once for every head, with that head's output taken from the second row of what was made before, or nothing in its
// place, and gives the row of logits that are the head's.
func (m *Mediator) each(ctx context.Context, text []int64, made []*onnx.Tensor, f func(head int, logits *onnx.Tensor, row int)) error {
	all := m.network.Heads()
	for from := 0; from < len(all); from += rowsAtOnce {
		some := all[from:min(from+rowsAtOnce, len(all))]
		logits, err := m.patch(ctx, text, some, made, 1)
		if err != nil {
			return err
		}
		for r := range some {
			f(from+r, logits, r)
		}
	}
	return nil
}

// patch runs a text once for each of some heads, with that head's output taken from a row of what was made before; nil: zeros.
func (m *Mediator) patch(ctx context.Context, text []int64, some []Head, made []*onnx.Tensor, from int) (*onnx.Tensor, error) {
	rows := make([][]int64, len(some))
	for i := range rows {
		rows[i] = text
	}
	p := m.plain(rows)
	size := int(m.network.Config.HeadDim) * len(text)
	for r, h := range some {
		heads := len(m.network.Config.Heads(int64(h.Layer)))
		at, err := m.network.place(h)
		if err != nil {
			return nil, err
		}
		p.gates[h.Layer][r*heads+int(at)] = 0
		if made == nil {
			continue
		}
		copy(p.patches[h.Layer].Float32s()[(r*heads+int(at))*size:][:size], made[h.Layer].Float32s()[(from*heads+int(at))*size:][:size])
	}
	logits, _, err := m.run(ctx, p)
	return logits, err
}
