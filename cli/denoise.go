package cli

import (
	"fmt"
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
taken as noisy, and no PSNR is given. With --task it is restored where something else is wrong: missing pixels, too few of
them, JPEG, photon noise.

With --method learned nothing is trained: a model that removes noise is run on the photo, and denoised.png, report.html and
summary.json are written.`,
	examples: []string{
		"graft denoise photo.jpg --out out/",
		"graft denoise clean.png --noise 0.1 --out out/",
		"graft denoise noisy.png --clean clean.png --size 128 --baseline dense --out out/",
		"graft denoise photo.jpg --mask default --out out/",
		"graft denoise holed.png --task inpaint --hole holes.png --out out/",
		"graft denoise photo.jpg --method learned --model denoiser.onnx --out out/",
	},
	groups: runsModel | writes | trains,
	flags:  denoiseFlags(),
	run:    runDenoise,
}

func denoiseFlags() []cli.Flag {
	photo := []cli.Flag{
		text("clean", "FILE", "the photo as it should be, to measure against").under("Photo"),
		integer("size", "N", 32, 8192, 0, "make the whole run this small: pixels of the longer side").under("Photo"),
	}
	return slices.Concat(photo, taskOptions(), []cli.Flag{
		choice("method", methodSparse, "train a sparse network on the one photo, or run a model that is learned already", methodSparse, methodLearned).under("Method"),
		text("model", "FILE", "learned: a denoiser, an ONNX file with one picture in and one out, as graft build analysis makes them").under("Method"),
		number("beta", "X", between(0, 1e9), 0, "learned: strength of the model that has an input of that name; what the file recommends without it").under("Method"),
		choice("preset", "quick", "how large the network and how long the run", "quick", "balanced", "paper").under("Method"),
		choice("network", "hourglass", "what draws the picture", priorNames()...).under("Method"),
		fraction("sparsity", "S", below(0, 1), 0, "fraction of weights to remove; the preset's without it").under("Method"),
		text("mask", "FILE|default", "take this mask, or the one that graft brings along, instead of learning one").under("Method"),
		list("baseline", "NAMES", "also try: "+strings.Join(oes.MethodNames(), ", ")).under("Method"),
		integer("mask-steps", "N", 1, 10_000_000, 0, "steps of mask learning; the preset's without it").under("Method"),
		integer("train-steps", "N", 1, 10_000_000, 0, "training steps; the preset's for the photo's size without it").under("Method"),
		fraction("baseline-lr", "X", above(0, 1), 0, "learning rate of baselines that train the whole network; each one's own without it").under("Method"),
		text("dncnn", "FILE", "trained weights of a DnCNN for grey pictures, a .pth of KAIR, for --baseline dncnn").under("Method"),
		toggle("resume", "continue the run that was cut off in this --out folder").under("Method"),
	})
}

// denoising is one run of the verb.
type denoising struct {
	*call
	task     denoiseTask
	prior    prior
	preset   denoisePreset
	sparsity float64
	photo    *photo
	problem  *oes.Problem
	given    *masking.Set // of --mask
	denoiser *onnx.Model  // of --dncnn
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
	if c.Text("method") == methodLearned {
		return runLearned(c)
	}
	d := &denoising{call: c, preset: denoisePresets[c.Text("preset")], started: time.Now()}
	if err := d.arguments(); err != nil {
		return err
	}
	var err error
	if d.photo, err = readPhoto(c, d.task); err != nil {
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
		return leaveWork(d.dir, d.grade(err))
	}
	c.JSON(result.summary)
	d.tell(result)
	return nil
}

// prepare makes the network, and refuses what can be refused before anything is written.
func (d *denoising) prepare() (err error) {
	if d.problem, err = d.photo.problem(d.prior, d.preset, d.Common.Seed); err != nil {
		return refused(d.Arg(0), err)
	}
	d.steps = d.preset.steps(d.photo.noisy.Width * d.photo.noisy.Height)
	if most := d.preset.DefaultSteps; d.Text("mask") == defaultMask && !d.IsSet("train-steps") && most > 0 {
		d.steps = min(d.steps, most)
	}
	if d.given, err = d.readMask(); err != nil {
		return err
	}
	packing, err := training.NewPacking(training.Parameters(d.problem.Network.Graph))
	if err != nil {
		return err
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
	if err := sameSettings(d.dir, d.settings()); err != nil {
		return leaveWork(d.dir, err)
	}
	return nil
}

// plan says what a run would do.
func (d *denoising) plan() error {
	n, _ := d.prior.Network(d.preset, d.photo.noisy.Width, d.photo.noisy.Height, d.photo.noisy.Channels)
	d.JSON(map[string]any{"width": d.photo.noisy.Width, "height": d.photo.noisy.Height, "network": n, "mask_steps": d.maskSteps(), "train_steps": d.steps, "task": d.task.Name})
	d.Print("would %s %d x %d pixels with %s: %d mask steps, %d training steps, into %s",
		d.task.verb(), d.photo.noisy.Width, d.photo.noisy.Height, d.describeNetwork(), d.maskSteps(), d.steps, d.Out())
	return nil
}

// maskSteps is how many steps a run learns its mask for.
func (d *denoising) maskSteps() int64 {
	if d.given != nil || d.sparsity == 0 {
		return 0
	}
	return d.preset.MaskSteps
}

func (d *denoising) note(format string, a ...any) {
	d.notes = append(d.notes, fmt.Sprintf(format, a...))
}
