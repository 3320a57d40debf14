package cli

import (
	"slices"

	"graft/masking"
	"graft/onnx"
	"graft/training"
)

// trainPruning takes weights away as the training goes.
type trainPruning struct {
	training.Gradual
	names map[string]bool // parameters that lose weights
	scope masking.Scope
}

// planPruning reads the flags of gradual pruning.
func (r *trainRun) planPruning() error {
	if !r.IsSet("prune-to") {
		return nil
	}
	g := training.Gradual{Final: r.Float("prune-to"), Begin: int64(r.Int("prune-start")), End: int64(r.Int("prune-end")), Every: int64(r.Int("prune-every"))}
	if g.End == 0 {
		g.End = max(r.steps*6/10, g.Begin+1)
	}
	if g.Every == 0 {
		g.Every = max((g.End-g.Begin)/32, 1)
	}
	if err := g.Check(); err != nil {
		return misuse("%v", err)
	}
	if g.End > r.steps {
		return misuse("--prune-end %d: the run has %d steps", g.End, r.steps)
	}
	m, err := training.OpenEval(r.dir, r.contract)
	if err != nil {
		return refused(r.dir, err)
	}
	r.pruning = &trainPruning{g, training.Prunable(m, r.step.Packing), masking.Scope(r.Text("prune-scope"))}
	if len(r.pruning.names) == 0 {
		return &Error{File: r.dir, Reason: "no parameter that is trained is a weight that pruning takes from: those of convolutions, products and embeddings"}
	}
	return nil
}

// nothing is the mask that takes nothing away.
func (*trainPruning) nothing(s *training.Step) *onnx.Tensor {
	mask := onnx.NewTensor(onnx.Float, s.Packing.Len())
	for i := range mask.Float32s() {
		mask.Float32s()[i] = 1
	}
	return mask
}

// prune takes away what the schedule says, and gives the fraction that is gone then.
func (p *trainPruning) prune(r *trainRun, s *training.Snapshot) (*training.Snapshot, *float64, error) {
	after, err := r.step.Prune(s, p.names, p.Sparsity(s.Steps), p.scope, r.Common.Seed)
	if err != nil {
		return nil, nil, err
	}
	gone := r.gone(after.Mask, p.names)
	return after, &gone, nil
}

// gone is the fraction of the named parameters' weights that a mask takes away.
func (r *trainRun) gone(mask *onnx.Tensor, names map[string]bool) float64 {
	total, zeros := 0, 0
	for _, t := range r.step.Packing.Unpack(mask) {
		if !names[t.Name] {
			continue
		}
		for _, v := range t.Float32s() {
			if total++; v == 0 {
				zeros++
			}
		}
	}
	return float64(zeros) / float64(max(total, 1))
}

// saveMask writes the mask that the run ended with.
func (r *trainRun) saveMask(end *training.Snapshot, doc *trained) error {
	path := r.Text("save-mask")
	if path == "" {
		return nil
	}
	set, err := r.step.MaskSet(end.Mask)
	if err != nil {
		return err
	}
	if err := r.keepFrozen(set); err != nil {
		return err
	}
	if err := set.WriteFile(path, map[string]string{"producer": "graft train"}); err != nil {
		return &Error{File: path, Err: err, Code: exitEnvironment}
	}
	doc.Mask = path
	return nil
}

// keepFrozen adds the weights that are not trained, kept whole, so that the mask is one of the whole model.
func (r *trainRun) keepFrozen(set *masking.Set) error {
	m, err := training.OpenEval(r.dir, r.contract)
	if err != nil {
		return refused(r.dir, err)
	}
	for _, v := range masking.Parameters(m.Graph) {
		if !slices.Contains(r.contract.Frozen, v.Name) || v.Const == nil {
			continue
		}
		keep := make([]bool, v.Const.Len())
		for i := range keep {
			keep[i] = true
		}
		if err := set.Add(&masking.Mask{Name: v.Name, Dims: v.Const.Dims, Keep: keep}); err != nil {
			return err
		}
	}
	return nil
}
