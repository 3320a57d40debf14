package prosocial

import (
	"context"
	"errors"
	"fmt"
	"math"

	"graft/onnx"
)

// Ablation is what becomes of the association with stereotypes without a head: how far it falls with the head's gate at zero.
type Ablation struct {
	Head   Head
	Signed float64 // of the mean over words of log p(stereotype)/p(anti-stereotype)
	Bias   float64 // of the mean over words of its magnitude
}

// Ablations are those of all heads.
type Ablations struct {
	Heads  []Ablation
	Signed float64 // with all heads
	Bias   float64
}

// words groups prompts: those of the same Word in a row are one, and a prompt without a Word is one alone.
func words(prompts []Prompt) (groups []int, n int) {
	groups = make([]int, len(prompts))
	for i, p := range prompts {
		if i == 0 || p.Word == "" || p.Word != prompts[i-1].Word {
			n++
		}
		groups[i] = n - 1
	}
	return groups, n
}

// associated are the signed mean and that of magnitudes, over the words of logarithms by prompt.
func associated(logs []float64, groups []int, n int) (signed, bias float64) {
	sum, count := make([]float64, n), make([]float64, n)
	for i, x := range logs {
		sum[groups[i]] += x
		count[groups[i]]++
	}
	for i, s := range sum {
		signed += s / count[i] / float64(n)
		bias += math.Abs(s/count[i]) / float64(n)
	}
	return signed, bias
}

// Ablate closes the gate of every head, one at a time.
func (m *Mediator) Ablate(ctx context.Context, prompts []Prompt, told func(prompts int)) (*Ablations, error) {
	if len(prompts) == 0 {
		return nil, errors.New("ablate heads: no prompts")
	}
	all := m.network.Heads()
	groups, n := words(prompts)
	logs, own := make([][]float64, len(all)), make([]float64, len(prompts))
	for i := range logs {
		logs[i] = make([]float64, len(prompts))
	}
	for i, p := range prompts {
		if p.At < 0 || p.At >= len(p.Base) {
			return nil, fmt.Errorf("ablate heads: prompt %d has %d tokens, and is read at %d", i+1, len(p.Base), p.At+1)
		}
		logits, _, err := m.run(ctx, m.plain([][]int64{p.Base}))
		if err != nil {
			return nil, err
		}
		own[i] = logRatio(logits, 0, p.At, p.Stereotype, p.Anti)
		err = m.each(ctx, p.Base, nil, func(h int, logits *onnx.Tensor, row int) {
			logs[h][i] = logRatio(logits, row, p.At, p.Stereotype, p.Anti)
		})
		if err != nil {
			return nil, err
		}
		if told != nil {
			told(i + 1)
		}
	}
	out := &Ablations{}
	out.Signed, out.Bias = associated(own, groups, n)
	for i, h := range all {
		signed, bias := associated(logs[i], groups, n)
		out.Heads = append(out.Heads, Ablation{h, out.Signed - signed, out.Bias - bias})
	}
	return out, nil
}
