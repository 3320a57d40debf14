package cli

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"graft/graphs"
	"graft/masking"
	"graft/onnx"
	"graft/training"
	"graft/training/oes"
	"graft/training/oes/defaultmask"
)

// defaultMask is the value of --mask that stands for the mask that graft brings along.
const defaultMask = "default"

// defaultMaskArguments refuses a default mask where there is none, before the photo is read.
func (d *denoising) defaultMaskArguments() error {
	if d.Text("mask") != defaultMask {
		return nil
	}
	if d.prior.Name != "hourglass" {
		return misuse("--mask default is for --network hourglass, not for %s: leave --mask out to learn one", d.prior.Name)
	}
	if _, err := defaultmask.For(d.preset.Network); err != nil {
		return misuse("--preset %s has no default mask: leave --mask out to learn one, or use --preset %s", d.Text("preset"), strings.Join(withDefaultMask(), " or "))
	}
	return nil
}

// withDefaultMask lists the presets that there is a default mask for.
func withDefaultMask() (names []string) {
	for _, name := range slices.Sorted(maps.Keys(denoisePresets)) {
		if _, err := defaultmask.For(denoisePresets[name].Network); err == nil {
			names = append(names, name)
		}
	}
	return names
}

// readMask is the mask of --mask, nil without one.
func (d *denoising) readMask() (*masking.Set, error) {
	g := d.problem.Network.Graph
	switch file := d.Text("mask"); file {
	case "":
		return nil, nil
	case defaultMask:
		network, _ := d.prior.Network(d.preset, d.photo.noisy.Width, d.photo.noisy.Height, d.photo.noisy.Channels)
		set, err := defaultmask.For(network.(graphs.Hourglass))
		if err != nil {
			return nil, &Error{File: d.Arg(0), Hint: "leave --mask out to learn one", Code: exitInput,
				Reason: fmt.Sprintf("the photo is too small for the default mask: its network wants %d pixels on the shorter side", d.preset.least())}
		}
		d.sparsity = 1 - float64(set.Kept())/float64(set.Total())
		d.note("The mask is graft's default for this network: it was learned on other pictures.")
		return set, masking.Fit(g, set)
	default:
		set, err := loadMaskAs(file, g, d.recoloured)
		if err != nil {
			return nil, d.otherNetwork(err)
		}
		if d.sparsity = 1 - float64(set.Kept())/float64(set.Total()); set.Kept() == 0 {
			return nil, refused(file, fmt.Errorf("the mask keeps no weight"))
		}
		d.note("The mask was read from %s.", filepath.Base(file))
		return set, nil
	}
}

// recoloured fits a mask to the photo's number of channels, where it keeps the whole of the last convolution.
func (d *denoising) recoloured(set *masking.Set) (*masking.Set, error) {
	out := &masking.Set{}
	for _, m := range set.Masks() {
		v := d.problem.Network.Graph.Lookup(m.Name)
		if strings.HasPrefix(m.Name, "out.") && v != nil && v.Const != nil && m.Kept() == int64(len(m.Keep)) &&
			len(m.Dims) == len(v.Const.Dims) && len(m.Dims) > 0 && slices.Equal(m.Dims[1:], v.Const.Dims[1:]) {
			m = &masking.Mask{Name: m.Name, Dims: v.Const.Dims, Keep: slices.Repeat([]bool{true}, int(v.Const.Len()))}
		}
		if err := out.Add(m); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// otherNetwork adds to a mask's refusal what this run's network is.
func (d *denoising) otherNetwork(err error) error {
	if !strings.Contains(err.Error(), "another network") && !strings.Contains(err.Error(), "the network has") {
		return err
	}
	if known, ok := errors.AsType[*Error](err); ok && known.Hint == "" {
		known.Hint = fmt.Sprintf("this run has %s; a mask fits the network and preset that it was learned with, on photos that are not much smaller", d.describeNetwork())
	}
	return err
}

// mask learns the mask, or reads it.
func (d *denoising) mask() (*masking.Set, error) {
	if d.given != nil {
		return d.given, nil
	}
	packing, err := training.NewPacking(training.Parameters(d.problem.Network.Graph))
	if err != nil {
		return nil, err
	}
	keep := masking.KeepCount(packing.Len(), d.sparsity)
	if keep == packing.Len() {
		d.note("Nothing is removed: no mask was learned.")
		return oes.UnpackMask(d.problem.Network, slices.Repeat([]bool{true}, int(keep)))
	}
	learned, err := d.learnMask()
	if err != nil {
		return nil, err
	}
	protect := d.protected()
	if len(protect) > 0 {
		d.note("The mask keeps %s whole.", strings.Join(protect, ", "))
	}
	flat, err := masking.TopK(learned.Scores(protect...), keep, d.Common.Seed)
	if err != nil {
		return nil, failed(err, "")
	}
	return oes.UnpackMask(d.problem.Network, flat)
}

// protected are the parameters that the mask keeps whole, as the preset wants it.
func (d *denoising) protected() []string {
	if !d.preset.ProtectHead {
		return nil
	}
	return d.prior.Head(d.problem.Network)
}

// learnMask is stage A, on a smaller version of the photo where the preset says so: masks carry over between sizes.
func (d *denoising) learnMask() (*oes.Mask, error) {
	problem, err := d.maskProblem()
	if err != nil {
		return nil, err
	}
	learned, err := problem.LearnMask(d.Context(), d.maskConfig(), d.stage("mask", "learn mask", d.preset.MaskSteps))
	if err != nil {
		return nil, err
	}
	d.curves = append(d.curves, curve{"mask", learned.Samples})
	return learned, nil
}

// maskConfig is how masks are learned.
func (d *denoising) maskConfig() oes.MaskConfig {
	return oes.MaskConfig{Keep: min((1-d.sparsity)*d.preset.Prior, mostKept), Strength: d.preset.Strength, Steps: d.preset.MaskSteps, Seed: d.Common.Seed}
}

// maskProblem is what the mask is learned on.
func (d *denoising) maskProblem() (*oes.Problem, error) {
	longer, shorter := max(d.photo.noisy.Width, d.photo.noisy.Height), min(d.photo.noisy.Width, d.photo.noisy.Height)
	side := d.preset.MaskSide
	if side > 0 { // the shorter side needs its pixels too
		side = max(side, (minSide*longer+shorter-1)/shorter)
	}
	if side > 0 && longer > side+side/4 {
		photo, err := d.photo.smaller(side)
		if err != nil {
			return nil, err
		}
		if photo != nil {
			small, err := photo.problem(d.prior, d.preset, d.Common.Seed)
			if err != nil {
				return nil, err
			}
			if sameParameters(small.Network, d.problem.Network) {
				d.note("The mask was learned on the photo at %d x %d pixels in %d steps and carried over to the full size.",
					small.Region.Width, small.Region.Height, d.preset.MaskSteps)
				return small, nil
			}
		}
	}
	d.note("The mask was learned on the photo at its size in %d steps.", d.preset.MaskSteps)
	return d.problem, nil
}

// warnDead names the layers of which a packed mask keeps nothing: nothing passes them.
func (d *denoising) warnDead(what string, keep []bool) {
	if dead := oes.DeadLayers(d.problem.Network, keep); len(dead) > 0 {
		d.Say("warning: %s keeps nothing of %s: nothing passes there; a lower --sparsity keeps more", what, strings.Join(dead, ", "))
		d.note("%s keeps nothing of %s.", firstUpper(what), strings.Join(dead, ", "))
	}
}

// mostKept keeps the prior of mask learning from being sure, where its divergence has no value.
const mostKept = 0.999

// sameParameters reports whether a mask of one network fits the other.
func sameParameters(a, b *onnx.Model) bool {
	x, y := a.Graph.Initializers(), b.Graph.Initializers()
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		if x[i].Name != y[i].Name || !x[i].Type.Shape.Equal(y[i].Type.Shape) {
			return false
		}
	}
	return true
}
