package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/masking"
	"graft/onnx"
	"graft/training/dataset"
	"graft/training/oes"
	"graft/training/study"
)

var studyOES = studyKind{
	name: "oes", short: "Optimal Eye Surgeon beside every baseline: PSNR, SSIM, masks, spectra, sizes",
	long: `Denoises every picture of a folder with every method, at every sparsity and level of noise, from several seeds, and writes what
came out: results.csv, results.json, report.html, report.png, and a file for each cell in cells/. A cell is never run twice: a
study that was cut off, or is asked for more, takes up what is there. Pictures that cannot be read are listed, and the exit code
is 1; the others are done.

Methods: ` + strings.Join(oes.MethodNames(), ", ") + `.
All that prune keep the same number of weights. --methods all takes all of them, dncnn only with --dncnn.`,
	examples: []string{
		"graft study oes --images photos/ --out study/",
		"graft study oes --images photos/ --methods oes,dense,imp,synflow --sparsity 0.5,0.8,0.9,0.95,0.97,0.99 --seeds 3 --out study/",
		"graft study oes --images photos/ --quick --out study/",
		"graft study oes --images photos/ --noise 0.05,25/255 --dry-run --out study/",
	},
	flags: []cli.Flag{
		text("images", "DIR", "folder of clean pictures").under("Pictures"),
		integer("size", "N", 32, 8192, 64, "pixels of the longer side").under("Pictures"),
		toggle("square", "cut the middle square out of every picture first").under("Pictures"),
		list("noise", "SIGMAS", "standard deviations of the noise on the [0, 1] scale; 0.1 without it").under("Pictures"),
		list("methods", "NAMES", "what is compared; without it "+strings.Join(usualMethods, ", ")).under("Methods"),
		list("sparsity", "LIST", "fractions of weights to remove; 0.95 without it").under("Methods"),
		integer("seeds", "N", 1, 1000, 3, "seeds, from --seed on: of noise, initialization, z and masks").under("Methods"),
		choice("preset", "quick", "which network, and how its mask is learned", "quick", "balanced", "paper").under("Methods"),
		toggle("quick", "a taste: few methods, one seed, few steps").under("Methods"),
		integer("mask-steps", "N", 1, 10_000_000, 0, "steps of mask learning; the preset's without it").under("Methods"),
		integer("train-steps", "N", 1, 10_000_000, 0, "steps of every fit; the preset's without it").under("Methods"),
		integer("round-steps", "N", 1, 10_000_000, 0, "steps of a round of imp; those of a fit without it").under("Methods"),
		number("strength", "X", above(0, 1e6), 0, "of the prior in mask learning, lambda times the number of weights; the preset's without it").under("Methods"),
		choice("protect", protectOwn, "what masks keep whole: own, as each method's authors have it (nothing with oes, biases and norms with all that prune weights alone); or for all methods nothing, what makes the image, or biases and norms", protectOwn, protectNone, protectHead, protectNorms).under("Methods"),
		text("dncnn", "FILE", "trained weights of a DnCNN for grey pictures, a .pth of KAIR").under("Methods"),
		toggle("keep-masks", "write the mask of every cell, for denoise --mask").under("Results"),
		toggle("expect", "exit code 1 where OES or the whole network does not do what was published").under("Results"),
	},
	plan: planOES,
}

// usualMethods are compared unless --methods says otherwise, quickMethods with --quick.
var (
	usualMethods = []string{"dense", "dense-1e-2", "decoder", "sgld", "es-wmv", "tv", "bm3d", "oes", "imp", "synflow", "snip", "grasp",
		"magnitude", "magnitude-layer", "random", "random-layer", "wanda"}
	quickMethods = []string{"dense", "bm3d", "oes", "synflow", "magnitude", "random"}
)

// quickSteps is what --quick takes for each stage.
const quickSteps = 250

// oesStudy is one such study.
type oesStudy struct {
	*call
	preset     denoisePreset
	presetName string
	methods    []oes.Method
	noises     []float64
	sparsities []float64
	seeds      []uint64
	steps      oesSteps
	pictures   []studyPicture
	broken     []brokenPicture
	notes      []string
	denoiser   *onnx.Model
	denoiserID string
	networks   map[string]oesNetwork // by width, height and channels
}

// oesSteps are the steps of each stage, of which Fit depends on the picture's size unless it is given.
type oesSteps struct{ Mask, Fit, Round int64 }

// studyPicture is a clean picture at the size of the study.
type studyPicture struct {
	name, id string
	clean    *dataset.Image
}

// brokenPicture is one that cannot be taken.
type brokenPicture struct {
	File   string `json:"file"`
	Reason string `json:"reason"`
}

func planOES(c *call) (experiment, error) {
	s := &oesStudy{call: c, networks: map[string]oesNetwork{}, presetName: c.Text("preset"), preset: denoisePresets[c.Text("preset")]}
	if c.Text("images") == "" {
		return nil, misuse("study oes needs --images DIR, a folder of clean pictures")
	}
	if err := s.settings(); err != nil {
		return nil, err
	}
	if err := s.chooseMethods(); err != nil {
		return nil, err
	}
	if err := s.readPictures(); err != nil {
		return nil, err
	}
	return s, s.enough()
}

// enough refuses sparsities that leave less than what every mask keeps.
func (s *oesStudy) enough() error {
	for _, p := range s.pictures {
		n, err := s.network(p)
		if err != nil {
			return refused(p.name, err)
		}
		for _, m := range s.methods {
			if m.Needs&oes.NeedsSparsity == 0 {
				continue
			}
			whole := n.whole[s.protects(m)].weights
			for _, sparsity := range s.sparsities {
				if keep := masking.KeepCount(n.weights, sparsity); keep < max(1, whole) {
					return misuse("--sparsity %g keeps %d of the %d weights for %s, %s with --protect %s wants %d", sparsity, keep, n.weights, p.name, m.Name, s.protects(m), max(1, whole))
				}
			}
		}
	}
	return nil
}

func (s *oesStudy) settings() (err error) {
	if s.noises, err = s.fractions("noise", above(0, 1), 0.1); err != nil {
		return err
	}
	if s.sparsities, err = s.fractions("sparsity", below(0, 1), 0.95); err != nil {
		return err
	}
	seeds := s.Int("seeds")
	s.steps = oesSteps{Mask: s.preset.MaskSteps}
	if s.Bool("quick") {
		s.steps = oesSteps{quickSteps, quickSteps, quickSteps}
		if !s.IsSet("seeds") {
			seeds = 1
		}
	}
	s.seeds = s.seedsFrom(seeds)
	for name, to := range map[string]*int64{"mask-steps": &s.steps.Mask, "train-steps": &s.steps.Fit, "round-steps": &s.steps.Round} {
		if n := s.Int(name); n > 0 {
			*to = int64(n)
		}
	}
	if s.IsSet("strength") {
		s.preset.Strength = s.Float("strength")
	}
	if file := s.Text("dncnn"); file != "" {
		if s.denoiser, s.denoiserID, err = readDnCNN(file); err != nil {
			return refused(file, err)
		}
	}
	return nil
}

// fractions are the numbers of a list flag, each once.
func (c *call) fractions(flag string, in span, usual ...float64) ([]float64, error) {
	if !c.IsSet(flag) {
		return usual, nil
	}
	var out []float64
	for _, text := range c.List(flag) {
		x, err := parseFraction(text)
		if err != nil || !in.has(x) {
			return nil, misuse("--%s %s: wants numbers in %s, joined by commas", flag, text, in)
		}
		if slices.Contains(out, x) {
			return nil, misuse("--%s names %g twice", flag, x)
		}
		out = append(out, x)
	}
	return out, nil
}

func (s *oesStudy) chooseMethods() error {
	names := s.List("methods")
	switch {
	case len(names) == 1 && names[0] == "all":
		names = oes.MethodNames()
		if s.denoiser == nil {
			names = slices.DeleteFunc(names, func(n string) bool { return n == "dncnn" })
		}
	case len(names) == 0 && s.Bool("quick"):
		names = quickMethods
	case len(names) == 0:
		names = usualMethods
		if s.denoiser != nil {
			names = append(slices.Clone(names), "dncnn")
		}
	}
	for i, name := range names {
		m, err := oes.FindMethod(name)
		if err != nil {
			return misuse("--methods: %s%s", err, didYouMean(nearest(name, oes.MethodNames())))
		}
		if slices.Contains(names[:i], name) {
			return misuse("--methods names %s twice", name)
		}
		if m.Needs&oes.NeedsDenoiser != 0 && s.denoiser == nil {
			return misuse("--methods %s needs --dncnn FILE, its trained weights", name)
		}
		s.methods = append(s.methods, m)
	}
	return nil
}

// pictureFormats are the ends of names that are taken for pictures; other files of the folder are passed over.
var pictureFormats = []string{".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"}

func (s *oesStudy) readPictures() error {
	dir := s.Text("images")
	entries, err := os.ReadDir(dir)
	if err != nil {
		var path *fs.PathError
		if errors.As(err, &path) {
			err = path.Err
		}
		return refused(dir, fmt.Errorf("read pictures: %w", err))
	}
	for _, e := range entries {
		if e.IsDir() || !slices.Contains(pictureFormats, strings.ToLower(filepath.Ext(e.Name()))) {
			continue
		}
		p, err := s.readPicture(filepath.Join(dir, e.Name()))
		if err != nil {
			s.broken = append(s.broken, brokenPicture{e.Name(), oneLine(err.Error())})
			s.Say("%s is left out: %s", e.Name(), err)
			continue
		}
		s.pictures = append(s.pictures, *p)
	}
	if len(s.pictures) == 0 {
		return refused(dir, fmt.Errorf("no picture can be taken: %d are broken; names end in %s", len(s.broken), strings.Join(pictureFormats, ", ")))
	}
	return nil
}

func (s *oesStudy) readPicture(path string) (*studyPicture, error) {
	image, hash, err := readImage(path, 0)
	if err != nil {
		return nil, err
	}
	if s.Bool("square") {
		side := min(image.Width, image.Height)
		if image, err = image.Crop((image.Width-side)/2, (image.Height-side)/2, side, side); err != nil {
			return nil, err
		}
	}
	if image, err = image.Resize(s.Int("size")); err != nil {
		return nil, err
	}
	if flat(image) {
		s.notes = append(s.notes, fmt.Sprintf("%s is of one colour: there is nothing to draw but noise.", filepath.Base(path)))
		s.Say("%s is of one colour: there is nothing to draw but noise", filepath.Base(path))
	}
	name := filepath.Base(path)
	return &studyPicture{name, hash[:12], image}, nil
}

// Cells are all pictures with all methods for one seed, then for the next.
func (s *oesStudy) Cells() []study.Cell {
	var cells []study.Cell
	for _, seed := range s.seeds {
		for _, noise := range s.noises {
			for _, p := range s.pictures {
				base := study.Cell{{Name: "image", Value: p.name}, {Name: "picture", Value: p.id}, {Name: "size", Value: s.Int("size")},
					{Name: "square", Value: s.Bool("square")}, {Name: "noise", Value: noise}, {Name: "seed", Value: seed}}
				for _, m := range s.methods {
					cells = append(cells, s.cellsOf(base.With("method", m.Name), m, p)...)
				}
			}
		}
	}
	return study.Unique(cells)
}

// cellsOf adds what the method depends on, and nothing else.
func (s *oesStudy) cellsOf(c study.Cell, m oes.Method, p studyPicture) []study.Cell {
	steps := s.stepsFor(p)
	if m.Needs&oes.NeedsDenoiser != 0 {
		c = c.With("dncnn", s.denoiserID)
	}
	if m.Needs&oes.NeedsSteps != 0 {
		c = c.With("preset", s.presetName).With("train_steps", steps.Fit)
	}
	if m.Needs&oes.NeedsMaskSteps != 0 {
		c = c.With("mask_steps", steps.Mask).With("strength", s.preset.Strength)
	}
	if m.Needs&oes.NeedsRounds != 0 {
		c = c.With("round_steps", steps.Round)
	}
	if m.Needs&oes.NeedsSparsity == 0 {
		return []study.Cell{c}
	}
	return study.Cross([]study.Cell{c.With("protect", s.protects(m))}, "sparsity", s.sparsities...)
}

// stepsFor are the steps for a picture: the preset has fewer for large ones.
func (s *oesStudy) stepsFor(p studyPicture) oesSteps {
	steps := s.steps
	if steps.Fit == 0 {
		steps.Fit = s.preset.steps(p.clean.Width * p.clean.Height)
	}
	if steps.Round == 0 {
		steps.Round = steps.Fit
	}
	return steps
}

// find gives the picture and the method of a cell.
func (s *oesStudy) find(c study.Cell) (studyPicture, oes.Method, error) {
	i := slices.IndexFunc(s.pictures, func(p studyPicture) bool { return p.name == c.Get("image") })
	m, err := oes.FindMethod(c.Get("method"))
	if i < 0 || err != nil {
		return studyPicture{}, m, fmt.Errorf("cell %s is not of this study", c)
	}
	return s.pictures[i], m, nil
}

// fileHash is the beginning of a file's SHA-256.
func fileHash(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:6]), nil
}
