package language

import (
	"fmt"
	"slices"
	"strings"
)

// Gating says where the factors come from that what heads make is multiplied by.
type Gating string

// The ways of gating. A gate is float [1,heads,1,1], called head_gates.0 and so on by the layer.
const (
	Ungated     Gating = ""             // there are none
	GatesFixed  Gating = "initializers" // they are ones in the file, and can be trained
	GatesInputs Gating = "inputs"       // they are inputs
	GatesSample Gating = "samples"      // they are inputs [batch_size,heads,1,1]: each sample has its own
)

// AttentionsPrefix begins the names of the outputs that Options.Attentions adds.
const AttentionsPrefix = "attentions."

// Options say which form of a model is built. The zero value is that of features.
type Options struct {
	Task string // "": FeatureExtraction
	// Pooler adds the output pooler_output to the features of BERT and RoBERTa.
	Pooler bool
	// Cache makes a decoder go on from past_key_values.N.key and .value [batch_size, key-value heads, past_sequence_length, width of a
	// head] and hand out present.N.key and .value.
	Cache bool
	// OwnPositions leaves the input position_ids of decoders out: positions are counted from the attention mask.
	OwnPositions bool
	Gates        Gating
	// Closed are heads, by layer, whose gates are zero in the file: GatesFixed makes them.
	Closed map[int64][]int64
	// Patches adds, with gates g, inputs head_patches.N [batch_size, heads, sequence_length, width of a head]: what goes on is
	// g·own + (1-g)·patch.
	Patches bool
	// HeadOutputs adds outputs head_outputs.N: what each head makes, before gates.
	HeadOutputs bool
	// Attentions adds outputs attentions.N [batch_size, heads, sequence_length, length of what is seen]: the weights of attention.
	Attentions bool
	// HiddenDropout and AttentionDropout are parts that a form of training leaves out, as transformers does.
	HiddenDropout, AttentionDropout float64
}

// check refuses options that contradict each other or the model.
func (o *Options) check(c Config, a architecture) error {
	if o.Task == "" {
		o.Task = FeatureExtraction
	}
	switch {
	case !slices.Contains(a.tasks, o.Task):
		return fmt.Errorf("%s has no task %q: there are %s", c.ModelType, o.Task, strings.Join(a.tasks, ", "))
	case o.Pooler && (o.Task != FeatureExtraction || !a.segments):
		return fmt.Errorf("%s for %s has no pooler", c.ModelType, o.Task)
	case o.Cache && (!a.decoder || o.Task == TextClassification):
		return fmt.Errorf("%s for %s has no cache of keys and values", c.ModelType, o.Task)
	case !slices.Contains([]Gating{Ungated, GatesFixed, GatesInputs, GatesSample}, o.Gates):
		return fmt.Errorf("unknown gates %q", o.Gates)
	case o.Patches && o.Gates == Ungated:
		return fmt.Errorf("patches go by gates: give these too")
	case len(o.Closed) > 0 && o.Gates != GatesFixed:
		return fmt.Errorf("heads are closed by gates in the file: these are not there")
	case o.Task == TextClassification && c.NumLabels < 1:
		return fmt.Errorf("a classifier wants num_labels")
	}
	for _, ratio := range []float64{o.HiddenDropout, o.AttentionDropout} {
		if !(ratio >= 0 && ratio < 1) {
			return fmt.Errorf("dropout %g: wants 0 to 1, below 1", ratio)
		}
	}
	return nil
}
