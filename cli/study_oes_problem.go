package cli

import (
	"fmt"
	"slices"

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
	weights int64
	whole   map[string]protection // by what --protect may say of a method
}

// protection is what a mask keeps whole.
type protection struct {
	names   []string
	weights int64
}

// What --protect may say. protectOwn is one of the others for each method.
const (
	protectOwn   = "own"
	protectNone  = "none"
	protectHead  = "head"
	protectNorms = "norms"
)

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
	n.whole = map[string]protection{}
	for _, v := range training.Parameters(m.Graph) {
		n.weights += v.Const.Len()
		for kind, stays := range map[string]bool{protectHead: slices.Contains(head, v.Name), protectNorms: len(v.Const.Dims) == 1} {
			if stays {
				p := n.whole[kind]
				n.whole[kind] = protection{append(p.names, v.Name), p.weights + v.Const.Len()}
			}
		}
	}
	s.networks[key] = n
	return n, nil
}

// protects says what a method's masks keep whole: what --protect says, or what its authors do.
func (s *oesStudy) protects(m oes.Method) string {
	switch kind := s.Text("protect"); {
	case kind != protectOwn:
		return kind
	case m.Whole == oes.WholeNorms:
		return protectNorms
	}
	return protectNone
}

// trial sets a cell's picture up: the noise, the network, its input and the deep decoder all follow from the seed.
func (s *oesStudy) trial(p studyPicture, c study.Cell) (*oes.Trial, error) {
	sigma := c.Float("noise")
	seed, err := seedOfCell(c)
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
	t := &oes.Trial{Sigma: sigma, Seed: seed, Sparsity: c.Float("sparsity"), Protect: n.whole[c.Get("protect")].names, Denoiser: s.denoiser, Steps: steps.Fit, RoundSteps: steps.Round}
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
