package cli

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"graft/cli/outdir"
	"graft/training/bilevel"
	"graft/training/signal"
)

var learnOperatorVerb = verb{
	name: "learn-operator", args: "[DATA]", short: "learn a sparsity-promoting operator from pictures or signals, and the denoiser that it makes",
	long: `Learns W so that argmin 1/2 |x-y|^2 + beta |Wx|_1 removes noise best, by the closed-form gradient of the error in W: no network, nothing
unrolled. DATA is a folder of pictures, or one, of which patches are drawn; or a .npy, .npz, safetensors or CSV file whose rows are signals.
Without DATA, --signals makes some:

` + signalLines() + `

Noise of --sigma is added with the seed. In the end beta is tuned by golden section on what W was learned from. The folder --out gets
operator.safetensors (W and beta, as graft build analysis --operator reads them), denoiser.onnx (what is to be denoised in, beta in,
denoised out), operator.png and rows/ (W's rows, drawn during the training too, in the folder's .partial), history.csv, report.html and
summary.json.

A run that is interrupted keeps its last step; --resume goes on to the bit as if nothing had happened.`,
	examples: []string{
		"graft learn-operator photos/ --sigma 25/255 --out learned/",
		"graft learn-operator photos/ --test more-photos/ --patch 7 --form orthonormal --out learned/",
		"graft learn-operator signals.npy --sigma 0.1 --steps 3000 --out learned/",
		"graft learn-operator --signals piecewise --length 64 --form convolution --filter 3 --out learned/",
		"graft learn-operator photos/ --sigma 25/255 --out learned/ --resume",
		"graft denoise photo.png --method learned --model learned/denoiser.onnx --out out/",
	},
	groups: runsModel | writes,
	flags: slices.Concat([]cli.Flag{
		choice("signals", "", "make signals of this kind, without DATA", signalNames()...).under("Data"),
		integer("length", "N", 2, 1<<16, 64, "samples of a made signal; a square with constant-patch").under("Data"),
		number("rate", "X", span{lo: 0, hi: 1, openLo: true}, 0.1, "of made signals: jumps by sample, or part of the coefficients that are not 0").under("Data"),
		fraction("sigma", "X", above(0, 1e6), 0.1, "standard deviation of the noise; pictures are 0 to 1").under("Data"),
		integer("patch", "N", 2, 64, 8, "pixels of a patch's side").under("Data"),
		integer("samples", "N", 1, 1<<24, 0, "patches or signals to learn from; 20000 patches, 2000 made signals, all of a file without it").under("Data"),
		text("test", "PATH", "pictures or signals that the result is judged by; nothing is chosen by them").under("Data"),
	}, formFlags("Operator", 1<<12, 3), []cli.Flag{
		choice("rule", "adam", "how W follows the gradient", "sgd", "heavy-ball", "adam").under("Training"),
		number("lr", "X", above(0, 1e6), 3e-3, "learning rate of the first step; it falls to a hundredth").under("Training"),
		integer("batch", "N", 1, 1<<20, 32, "patches or signals of a step").under("Training"),
		integer("steps", "N", 1, 1<<40, 6000, "steps").under("Training"),
		integer("draw-every", "N", 1, 1<<40, 0, "steps between pictures of W's rows; a tenth of the training without it").under("Checkpoints"),
		integer("save-every", "N", 1, 1<<40, 500, "steps between checkpoints").under("Checkpoints"),
		toggle("resume", "go on with the run that was cut off in this --out folder").under("Checkpoints"),
	}),
	run: runLearnOperator,
}

func signalNames() []string {
	var names []string
	for _, k := range signal.Kinds {
		names = append(names, k.Name)
	}
	return names
}

// operatorRun is one run of the verb.
type operatorRun struct {
	*call
	sigma      float64
	data       *operatorData
	form       bilevel.Form
	start      bilevel.Start
	rule       bilevel.Rule
	steps      int
	dir        *outdir.Dir
	trained    *bilevel.Trained
	history    []operatorStep
	iterations int64 // of a denoiser of pictures; 0: as usual
	started    time.Time
}

func runLearnOperator(c *call) error {
	r := &operatorRun{call: c, sigma: c.Float("sigma"), steps: c.Int("steps"), started: time.Now()}
	if err := r.checkFlags(); err != nil {
		return err
	}
	var err error
	if r.data, err = r.readData(); err != nil {
		return err
	}
	if err := r.chooseForm(); err != nil {
		return err
	}
	if c.Common.DryRun {
		return r.foresee()
	}
	if err := r.open(); err != nil {
		return err
	}
	doc, err := r.work()
	c.Progress().Done()
	if err != nil {
		return r.leave(err)
	}
	c.JSON(doc)
	r.tell(doc)
	return nil
}

// checkFlags refuses what goes wrong whatever the data are.
func (r *operatorRun) checkFlags() error {
	made := r.IsSet("signals")
	switch {
	case r.Out() == "":
		return misuse("learn-operator needs --out DIR, the folder that the operator goes to")
	case made && r.Arg(0) != "":
		return misuse("--signals makes signals, DATA has some: give one of the two")
	case !made && r.Arg(0) == "":
		return misuse("argument DATA is missing: a folder of pictures or a file of signals; or --signals, which makes some")
	case made && (r.IsSet("test") || r.IsSet("patch")):
		return misuse("--test and --patch are for DATA: made signals are judged by others of their kind")
	}
	for _, f := range []string{"length", "rate"} {
		if r.IsSet(f) && !made {
			return misuse("--%s goes with --signals", f)
		}
	}
	return nil
}

// chooseForm is what --form asks for, over signals as the data has them.
func (r *operatorRun) chooseForm() (err error) {
	n := r.data.train.Length
	if r.form, r.start, r.rule, err = r.chosenForm(n, r.data.side); err != nil {
		return err
	}
	k, _ := r.form.Size()
	if k > 1<<28/n || k > 1<<28/r.data.train.Count {
		return misuse("W has %d rows, for %d samples of length %d: that is more than memory is planned for: fewer rows, or smaller --samples", k, r.data.train.Count, n)
	}
	return begins(r.call, r.form, r.start)
}

// config is how W is learned. A start of the size of the noise asks for about as much smoothing as there is noise.
func (r *operatorRun) config() bilevel.TrainConfig {
	c := bilevel.TrainConfig{Form: r.form, Start: r.start, Scale: r.sigma, Rule: r.rule, Rate: r.Float("lr"), Decay: 0.01, Batch: r.Int("batch"), Steps: r.steps, Seed: r.Common.Seed}
	switch r.form.(type) {
	case bilevel.Orthonormal, bilevel.TightFrame: // whose scale is fixed
		c.Beta, c.LearnBeta = r.sigma, true
	}
	return c
}

// foresee says what a run would do.
func (r *operatorRun) foresee() error {
	k, n := r.form.Size()
	r.JSON(map[string]any{"dry_run": true, "samples": r.data.train.Count, "length": n, "rows": k, "steps": r.steps, "batch": min(r.Int("batch"), r.data.train.Count)})
	r.Print("would learn %d rows of %d samples from %s of %s, in %d steps, into %s", k, n, r.data.count(), r.data.from, r.steps, r.Out())
	return nil
}

// open makes the work folder, or finds the one to go on in, which must have been begun with the same flags.
func (r *operatorRun) open() error {
	begin := outdir.Create
	if r.Bool("resume") {
		begin = outdir.Resume
	}
	var err error
	if r.dir, err = begin(r.Out(), r.Common.Force); err != nil {
		return folderError(r.Out(), err)
	}
	now := map[string]string{"data": r.data.from, "seed": fmt.Sprint(r.Common.Seed)}
	for _, f := range r.verb.flags {
		if name := f.Names()[0]; r.IsSet(name) && !slices.Contains([]string{"resume", "test", "save-every", "draw-every"}, name) {
			now[name] = fmt.Sprint(r.parsed.Value(name))
		}
	}
	if err := sameSettings(r.dir, now); err != nil {
		return errors.Join(err, r.dir.Suspend())
	}
	return nil
}

// work does all that takes time, and puts the folder in its place.
func (r *operatorRun) work() (*operatorLearned, error) {
	if err := r.train(); err != nil {
		return nil, err
	}
	doc, err := r.judge()
	if err != nil {
		return nil, err
	}
	if err := r.write(doc); err != nil {
		return nil, err
	}
	if err := r.dir.Commit(); err != nil {
		return nil, folderError(r.Out(), err)
	}
	return doc, nil
}

// leave ends a run that failed. Its work folder stays where --resume can go on from it.
func (r *operatorRun) leave(err error) error {
	if errors.Is(err, bilevel.ErrDiverged) {
		return errors.Join(&Error{Err: err, Code: exitRuntime, Hint: fmt.Sprintf("take a smaller --lr than %g", r.Float("lr"))}, r.dir.Abort())
	}
	left := r.dir.Abort
	if saved, globErr := filepath.Glob(r.dir.File(operatorCheckpoint)); globErr != nil || len(saved) > 0 {
		left = r.dir.Suspend
	}
	return errors.Join(err, left())
}
