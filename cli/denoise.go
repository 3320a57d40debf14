package cli

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"graft/cli/outdir"
	"graft/masking"
	"graft/onnx"
	"graft/training"
	"graft/training/oes"
)

var denoiseVerb = verb{
	name: "denoise", args: "IMAGE", short: "denoise a photo with a sparse network, and keep the network as an ONNX file",
	long: `Learns which few weights of an image generator to keep before any is trained (Optimal Eye Surgeon), trains those on the one
noisy photo, and writes the result: denoised.png, model.onnx (masked, channels that do nothing cut away, its input made
inside the file), model.sparse.onnx, mask.safetensors, history.csv, psnr.png, report.html and summary.json.

The photo is PNG, JPEG, BMP, TIFF or WebP, 32 to 8192 pixels a side, at most 40 megapixels. Without --noise and --clean it is
taken as noisy, and no PSNR is given.`,
	examples: []string{
		"graft denoise photo.jpg --out out/",
		"graft denoise clean.png --noise 0.1 --out out/",
		"graft denoise noisy.png --clean clean.png --size 128 --baseline dense --out out/",
	},
	groups: runsModel | writes,
	flags: []cli.Flag{
		text("clean", "FILE", "the photo without noise, to measure against").under("Photo"),
		fraction("noise", "SIGMA", above(0, 1), 0, "take the photo as clean and add seeded noise of this standard deviation (25/255 is accepted)").under("Photo"),
		integer("size", "N", 32, 8192, 0, "make the whole run this small: pixels of the longer side").under("Photo"),
		choice("preset", "quick", "how large the network and how long the run", "quick", "balanced", "paper").under("Method"),
		fraction("sparsity", "S", below(0, 1), 0, "fraction of weights to remove; the preset's without it").under("Method"),
		text("mask", "FILE", "take this mask instead of learning one").under("Method"),
		list("baseline", "NAMES", "also train: dense, decoder, magnitude, random").under("Method"),
		integer("mask-steps", "N", 1, 10_000_000, 0, "steps of mask learning; the preset's without it").under("Method"),
		integer("train-steps", "N", 1, 10_000_000, 0, "training steps; the preset's for the photo's size without it").under("Method"),
		fraction("baseline-lr", "X", above(0, 1), 0, "learning rate of the dense baseline; 1e-3 without it").under("Method"),
		toggle("resume", "continue the run that was cut off in this --out folder").under("Method"),
	},
	run: runDenoise,
}

// denoising is one run of the verb.
type denoising struct {
	*call
	preset   denoisePreset
	sparsity float64
	photo    *photo
	problem  *oes.Problem
	given    *masking.Set // of --mask
	dir      *outdir.Dir
	steps    int64
	notes    []string // what was done, for the report
	curves   []curve
	started  time.Time
}

// curve is the history of one stage.
type curve struct {
	Stage   string
	Samples []oes.Sample
}

func runDenoise(c *call) error {
	d := &denoising{call: c, preset: denoisePresets[c.Text("preset")], started: time.Now()}
	if err := d.arguments(); err != nil {
		return err
	}
	var err error
	if d.photo, err = readPhoto(c); err != nil {
		return err
	}
	if err := d.prepare(); err != nil {
		return err
	}
	if c.Common.DryRun {
		return d.plan()
	}
	if err := d.open(); err != nil {
		return err
	}
	result, err := d.work()
	if err != nil {
		return d.leave(d.grade(err))
	}
	c.JSON(result.summary)
	d.tell(result)
	return nil
}

// prepare makes the network, and refuses what can be refused before anything is written.
func (d *denoising) prepare() (err error) {
	if d.problem, err = d.photo.problem(d.preset, d.Common.Seed, 0); err != nil {
		return err
	}
	d.steps = d.preset.steps(d.photo.noisy.Width * d.photo.noisy.Height)
	if file := d.Text("mask"); file != "" {
		if d.given, err = loadMask(file, d.problem.Network.Graph); err != nil {
			return err
		}
		d.sparsity = 1 - float64(d.given.Kept())/float64(d.given.Total())
		d.note("The mask was read from %s.", filepath.Base(file))
	}
	packing, err := training.NewPacking(training.Parameters(d.problem.Network.Graph))
	if err != nil {
		return err
	}
	if d.given != nil && d.given.Kept() == 0 {
		return refused(d.Text("mask"), errors.New("the mask keeps no weight"))
	}
	if masking.KeepCount(packing.Len(), d.sparsity) == 0 && d.given == nil {
		return misuse("--sparsity %g leaves none of %d weights", d.sparsity, packing.Len())
	}
	return nil
}

// work does all that takes time, and puts the folder in its place.
func (d *denoising) work() (*denoised, error) {
	mask, err := d.mask()
	if err != nil {
		return nil, err
	}
	result, err := d.sparse(mask)
	if err != nil {
		return nil, err
	}
	if err := d.baselines(result); err != nil {
		return nil, err
	}
	if err := d.write(result); err != nil {
		return nil, err
	}
	if err := d.dir.Commit(); err != nil {
		return nil, folderError(d.Out(), err)
	}
	return result, nil
}

// arguments checks what the flags' own ranges cannot.
func (d *denoising) arguments() error {
	if d.Out() == "" {
		return misuse("denoise needs --out DIR, the folder that the results go to")
	}
	if d.IsSet("noise") && d.IsSet("clean") {
		return misuse("--noise and --clean exclude each other: --noise makes the noisy photo, --clean says what one looks like without noise")
	}
	if d.IsSet("mask") && d.IsSet("sparsity") {
		return misuse("--mask and --sparsity exclude each other: the mask says what is removed")
	}
	if n := d.Int("mask-steps"); n > 0 {
		d.preset.MaskSteps = int64(n)
	}
	if n := d.Int("train-steps"); n > 0 {
		d.preset.TrainSteps, d.preset.TrainPixels = int64(n), 0
	}
	d.sparsity = d.preset.Sparsity
	if d.IsSet("sparsity") {
		d.sparsity = d.Float("sparsity")
	}
	for i, name := range d.List("baseline") {
		if slices.Contains(d.List("baseline")[:i], name) {
			return misuse("--baseline names %s twice", name)
		}
		if !slices.Contains(baselineNames(), name) {
			return misuse("unknown baseline %q: there are %s", name, strings.Join(baselineNames(), ", "))
		}
	}
	return nil
}

// open makes the work folder, or finds the one to continue.
func (d *denoising) open() (err error) {
	if d.Bool("resume") {
		d.dir, err = outdir.Resume(d.Out(), d.Common.Force)
	} else {
		d.dir, err = outdir.Create(d.Out(), d.Common.Force)
	}
	if err != nil {
		return folderError(d.Out(), err)
	}
	if err := d.sameSettings(); err != nil {
		return d.leave(err)
	}
	return nil
}

// leave ends a run that failed with err. Its work folder stays when --resume can go on from it.
func (d *denoising) leave(err error) error {
	left := d.dir.Abort
	if saved, globErr := filepath.Glob(d.dir.File("checkpoint-*/state.json")); globErr != nil || len(saved) > 0 {
		left = d.dir.Suspend
	}
	if leftErr := left(); leftErr != nil {
		return errors.Join(err, leftErr)
	}
	return err
}

// plan says what a run would do.
func (d *denoising) plan() error {
	n := d.preset.network(d.photo.noisy.Width, d.photo.noisy.Height, d.photo.noisy.Channels)
	steps := d.preset.steps(d.photo.noisy.Width * d.photo.noisy.Height)
	d.JSON(map[string]any{"width": d.photo.noisy.Width, "height": d.photo.noisy.Height, "network": n, "mask_steps": d.preset.MaskSteps, "train_steps": steps})
	d.Print("would denoise %d x %d pixels with an hourglass of scales %v: %d mask steps, %d training steps, into %s",
		d.photo.noisy.Width, d.photo.noisy.Height, n.Channels, d.preset.MaskSteps, steps, d.Out())
	return nil
}

// mask learns the mask, or reads it.
func (d *denoising) mask() (*masking.Set, error) {
	if d.given != nil {
		return d.given, nil
	}
	learned, err := d.learnMask()
	if err != nil {
		return nil, err
	}
	if len(d.preset.Protect) > 0 {
		d.note("The mask keeps %s whole.", strings.Join(d.preset.Protect, ", "))
	}
	keep := masking.KeepCount(learned.Packing.Len(), d.sparsity)
	flat, err := masking.TopK(learned.Scores(d.preset.Protect...), keep, d.Common.Seed)
	if err != nil {
		return nil, failed(err, "")
	}
	return cutMask(learned.Packing, flat)
}

// learnMask is stage A, on a smaller version of the photo where the preset says so: masks carry over between sizes.
func (d *denoising) learnMask() (*oes.Mask, error) {
	problem := d.problem
	longer := max(d.photo.noisy.Width, d.photo.noisy.Height)
	side := d.preset.MaskSide
	if side > 0 { // the shorter side needs its pixels too
		shorter := min(d.photo.noisy.Width, d.photo.noisy.Height)
		side = max(side, (minSide*longer+shorter-1)/shorter)
	}
	if side > 0 && longer > side+side/4 {
		small, err := d.photo.problem(d.preset, d.Common.Seed, side)
		if err != nil {
			return nil, err
		}
		if sameParameters(small.Network, problem.Network) {
			problem = small
			d.note("The mask was learned on the photo at %d x %d pixels in %d steps and carried over to the full size.",
				small.Region.Width, small.Region.Height, d.preset.MaskSteps)
		}
	}
	if problem == d.problem {
		d.note("The mask was learned on the photo at its size in %d steps.", d.preset.MaskSteps)
	}
	learned, err := problem.LearnMask(d.Context(), oes.MaskConfig{
		Keep: min((1-d.sparsity)*d.preset.Prior, mostKept), Strength: d.preset.Strength, Steps: d.preset.MaskSteps, Seed: d.Common.Seed,
	}, d.stage("mask", "learn mask", d.preset.MaskSteps))
	if err != nil {
		return nil, err
	}
	d.curves = append(d.curves, curve{"mask", learned.Samples})
	return learned, nil
}

// mostKept keeps the prior of mask learning from being sure, where its divergence has no value.
const mostKept = 0.999

func (d *denoising) note(format string, a ...any) {
	d.notes = append(d.notes, fmt.Sprintf(format, a...))
}

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
