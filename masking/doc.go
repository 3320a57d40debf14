// Package masking says which weights of a network stay: masks and their files, the scores that pruning methods rank weights
// by, thresholds, and the removal of what a mask leaves dead.
//
//	score, err := masking.FindScore("magnitude")
//	if err != nil {
//		return err
//	}
//	set, err := masking.Choose(masking.Weights(masking.Parameters(m.Graph), seed), score, masking.Choice{Sparsity: 0.95, Seed: seed})
//	if err != nil {
//		return err
//	}
//	err = masking.Apply(m.Graph, set)          // pruned weights are +0
//	done, err := masking.Compact(m.Graph)      // channels that nothing needs are gone
package masking
