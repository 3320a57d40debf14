package prosocial

import (
	"context"
	"fmt"
	"math"

	"graft/graphs/language"
	"graft/onnx"
	"graft/onnx/op"
	"graft/runtime"
	"graft/training"
	"graft/training/loss"
)

// Perplexity is how badly a language model guesses tokens.
type Perplexity struct {
	Value  float64 `json:"value"`  // exp of the mean of -log p
	Tokens int64   `json:"tokens"` // that were guessed
}

// Perplexity measures a language model on each of the lines of data once, by the labels that data makes: all tokens with NextToken,
// with Masking those that are hidden. told is called after each batch; nil: never.
func (n *Network) Perplexity(ctx context.Context, task string, data *Batches, o runtime.Options, told func(batch int64)) (*Perplexity, error) {
	out, err := n.perplexity(ctx, task, data, o, told)
	if err != nil {
		return nil, fmt.Errorf("perplexity of %s: %w", n.Config.ModelType, err)
	}
	return out, nil
}

func (n *Network) perplexity(ctx context.Context, task string, data *Batches, o runtime.Options, told func(batch int64)) (*Perplexity, error) {
	m, err := n.Build(language.Options{Task: task})
	if err != nil {
		return nil, err
	}
	b := op.NewBuilder(m.Graph)
	logits := m.Graph.Outputs()[0]
	logits.Name = ""
	labels := m.Graph.AddInput(training.InputLabels, onnx.TensorType{DType: onnx.Int64, Shape: onnx.Shape{{Symbol: "tokens"}}})
	entropy := loss.CrossEntropyConfig{IgnoreIndex: IgnoreLabel}.Build(b, b.Reshape(logits, -1, n.Config.VocabSize), labels)
	m.Graph.SetOutputs(b.Named(entropy, training.OutputLoss))
	if err := b.Err(); err != nil {
		return nil, err
	}
	s, err := runtime.OpenModel(m, o)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	out, sum := &Perplexity{}, 0.0
	for step := int64(1); step <= data.PerEpoch(); step++ {
		feeds, err := data.At(step)
		if err != nil {
			return nil, err
		}
		guessed := int64(0)
		for _, l := range feeds[training.InputLabels].Int64s() {
			if l != IgnoreLabel {
				guessed++
			}
		}
		if guessed > 0 {
			got, err := s.Run(ctx, feeds, training.OutputLoss)
			if err != nil {
				return nil, err
			}
			sum += float64(got[training.OutputLoss].Float32s()[0]) * float64(guessed)
			out.Tokens += guessed
		}
		if told != nil {
			told(step)
		}
	}
	if out.Tokens == 0 {
		return nil, fmt.Errorf("no token of %d lines is guessed", len(data.Lines))
	}
	out.Value = math.Exp(sum / float64(out.Tokens))
	return out, nil
}
