package cli

import (
	"fmt"
	"strconv"

	"graft/graphs"
	"graft/training"
	"graft/training/oes"
	"graft/training/study"
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
	for _, v := range training.Parameters(m.Graph) {
		n.weights += v.Const.Len()
		if s.protects(v.Name, v.Const.Dims) {
			n.protect = append(n.protect, v.Name)
			n.protected += v.Const.Len()
		}
	}
	s.networks[key] = n
	return n, nil
}

// protects says whether --protect keeps a parameter whole.
func (s *oesStudy) protects(name string, dims []int64) bool {
	switch s.Text("protect") {
	case "head": // what makes the image of the last features
		return name == "s0.up.bn.weight" || name == "s0.up.bn.bias" || name == "out.conv.weight" || name == "out.conv.bias"
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
	noisy, err := addNoise(p.clean, sigma, seed)
	if err != nil {
		return nil, err
	}
	clean, padding, err := p.clean.PadToMultiple(int(n.Multiple()))
	if err != nil {
		return nil, err
	}
	region := oes.Region{X: padding.Left, Y: padding.Top, Width: noisy.Width, Height: noisy.Height}
	if noisy, _, err = noisy.PadToMultiple(int(n.Multiple())); err != nil {
		return nil, err
	}
	problem := func(network graphs.Network) (*oes.Problem, error) {
		m, err := network.Build(seed)
		if err != nil {
			return nil, err
		}
		dims, ok := m.Graph.Inputs()[0].Type.Shape.Sizes()
		if !ok {
			return nil, fmt.Errorf("the network's input has no fixed size")
		}
		return &oes.Problem{Network: m, Z: oes.NewZ(seed, dims...), Noisy: noisy.Tensor(), Clean: clean.Tensor(), Region: region}, nil
	}
	steps := s.stepsFor(p)
	t := &oes.Trial{Sigma: sigma, Seed: seed, Sparsity: c.Float("sparsity"), Protect: n.protect, Denoiser: s.denoiser, Steps: steps.Fit, RoundSteps: steps.Round}
	t.Mask = oes.MaskConfig{Keep: min((1-t.Sparsity)*s.preset.Prior, mostKept), Strength: s.preset.Strength, Steps: steps.Mask}
	if t.Problem, err = problem(n.Hourglass); err != nil {
		return nil, err
	}
	t.Decoder, err = problem(graphs.DeepDecoder{Layers: int64(len(n.Channels) + 1), Out: n.Out, Height: n.Height, Width: n.Width})
	return t, err
}
