package cli

import (
	"fmt"
	"slices"
	"strconv"

	"graft/graphs"
	"graft/training"
	"graft/training/oes"
	"graft/training/study"
)

// The priors of a study: the preset's hourglass, and the decoder that is compared with it.
const (
	studyPrior   = "hourglass"
	studyDecoder = "decoder"
)

// oesNetwork is the preset's network for a picture.
type oesNetwork struct {
	graphs.Hourglass
	weights   int64
	protect   []string // what --protect names
	protected int64    // weights of that
}

// network makes the network for a picture, once for each size.
func (s *oesStudy) network(p studyPicture) (oesNetwork, error) {
	n := oesNetwork{Hourglass: s.preset.network(p.clean.Width, p.clean.Height, p.clean.Channels)}
	key := fmt.Sprint(n.Hourglass)
	if known, ok := s.networks[key]; ok {
		return known, nil
	}
	m, err := n.Build(0)
	if err != nil {
		return n, err
	}
	prior, err := findPrior(studyPrior)
	if err != nil {
		return n, err
	}
	head := prior.Head(m)
	for _, v := range training.Parameters(m.Graph) {
		n.weights += v.Const.Len()
		if s.protects(v.Name, v.Const.Dims, head) {
			n.protect = append(n.protect, v.Name)
			n.protected += v.Const.Len()
		}
	}
	s.networks[key] = n
	return n, nil
}

// protects says whether --protect keeps a parameter whole. head are those that make the picture of the last features.
func (s *oesStudy) protects(name string, dims []int64, head []string) bool {
	switch s.Text("protect") {
	case "head":
		return slices.Contains(head, name)
	case "norms":
		return len(dims) == 1
	}
	return false
}

// trial sets a cell's picture up: the noise, the network, its input and the deep decoder all follow from the seed.
func (s *oesStudy) trial(p studyPicture, c study.Cell) (*oes.Trial, error) {
	sigma := c.Float("noise")
	seed, err := strconv.ParseUint(c.Get("seed"), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("cell %s: %w", c, err)
	}
	n, err := s.network(p)
	if err != nil {
		return nil, err
	}
	picture := &photo{name: p.name, clean: p.clean}
	if picture.noisy, err = addNoise(p.clean, sigma, seed); err != nil {
		return nil, err
	}
	steps := s.stepsFor(p)
	t := &oes.Trial{Sigma: sigma, Seed: seed, Sparsity: c.Float("sparsity"), Protect: n.protect, Denoiser: s.denoiser, Steps: steps.Fit, RoundSteps: steps.Round}
	t.Mask = oes.MaskConfig{Keep: min((1-t.Sparsity)*s.preset.Prior, mostKept), Strength: s.preset.Strength, Steps: steps.Mask}
	for name, to := range map[string]**oes.Problem{studyPrior: &t.Problem, studyDecoder: &t.Decoder} {
		prior, err := findPrior(name)
		if err != nil {
			return nil, err
		}
		if *to, err = picture.problem(prior, s.preset, seed); err != nil {
			return nil, err
		}
	}
	return t, nil
}
