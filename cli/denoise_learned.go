package cli

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"graft/graphs/analysis"
	"graft/onnx"
	"graft/training/dataset"
)

// Methods of denoise.
const (
	methodSparse  = "sparse"
	methodLearned = "learned"
)

// sparseFlags are those that only a network which is trained on the one photo takes.
var sparseFlags = []string{"preset", "network", "sparsity", "mask", "baseline", "mask-steps", "train-steps", "baseline-lr", "dncnn", "resume"}

// learning is one run of the verb with a model that is trained already.
type learning struct {
	*call
	model   *onnx.Model
	path    string
	image   *onnx.Value // the input that takes the picture
	beta    *onnx.Value // nil: there is none
	value   float64     // of beta
	photo   *photo
	started time.Time
}

// learned is summary.json. PSNR and SSIM are absent when no clean photo is known.
type learned struct {
	executed
	NoisyPSNR   *float64          `json:"noisy_psnr,omitempty"`
	LearnedPSNR *float64          `json:"learned_psnr,omitempty"`
	NoisySSIM   *float64          `json:"noisy_ssim,omitempty"`
	LearnedSSIM *float64          `json:"learned_ssim,omitempty"`
	Task        string            `json:"task"`
	Method      string            `json:"method"`
	Model       string            `json:"model"`
	Metadata    map[string]string `json:"metadata,omitempty"` // what the model says of itself
	Beta        *float64          `json:"beta,omitempty"`     // the strength, where the model has one
	Width       int               `json:"width"`
	Height      int               `json:"height"`
	Channels    int               `json:"channels"`
	Seed        uint64            `json:"seed"`
	RunSeconds  float64           `json:"run_seconds"` // of the model alone
	Seconds     float64           `json:"seconds"`
}

// learnedArguments checks what the flags' own ranges cannot.
func learnedArguments(c *call) error {
	switch {
	case c.Out() == "":
		return misuse("denoise needs --out DIR, the folder that the results go to")
	case c.Text("model") == "":
		return misuse("--method learned needs --model FILE, a denoiser as ONNX file: graft build analysis makes one")
	case c.IsSet("noise") && c.IsSet("clean"):
		return misuse("--noise and --clean exclude each other: --noise makes the noisy photo, --clean says what one looks like without noise")
	}
	for _, name := range sparseFlags {
		if c.IsSet(name) {
			return misuse("--%s is for --method sparse: a learned model is not trained on the photo", name)
		}
	}
	return nil
}

// runLearned denoises with the model of --model.
func runLearned(c *call) error {
	if err := learnedArguments(c); err != nil {
		return err
	}
	l := &learning{call: c, path: c.Text("model"), started: time.Now()}
	task, err := readTask(c)
	if err != nil {
		return err
	}
	if task.observes() {
		return misuse("--method learned removes noise from a picture, --task %s is more than that", task.Name)
	}
	if l.model, err = c.loadModel(l.path); err != nil {
		return err
	}
	if err := l.ports(); err != nil {
		return err
	}
	if l.photo, err = readPhoto(c, task); err != nil {
		return err
	}
	frames, err := l.frames()
	if err != nil {
		return err
	}
	doc := l.document(task)
	if c.Common.DryRun {
		c.JSON(doc)
		c.Print("would denoise %d x %d pixels with %s, into %s", doc.Width, doc.Height, l.path, c.Out())
		return nil
	}
	dir, err := createFolder(c.Out(), c.Common.Force)
	if err != nil {
		return err
	}
	defer func() { _ = dir.Abort() }()
	picture, err := l.denoise(frames, doc)
	if err != nil {
		return err
	}
	if err := l.write(dir, picture, doc, task); err != nil {
		return err
	}
	c.JSON(doc)
	l.tell(doc)
	return nil
}

// ports finds the picture's input and beta, and refuses models that want more or give something else.
func (l *learning) ports() error {
	g := l.model.Graph
	for _, v := range g.Inputs() {
		single := v.Type.DType == onnx.Float && v.Type.Shape.Ranked() && len(v.Type.Shape) <= 1
		switch {
		case v.Name == analysis.InputBeta && single:
			l.beta = v
		case v.IsInitializer():
		case l.image == nil && v.Type.DType == onnx.Float && len(v.Type.Shape) == 4:
			l.image = v
		default:
			return refused(l.path, fmt.Errorf("input %s is %v: a denoiser has one picture, float [N C H W], and may have %s, a number", quote(v.Name), v.Type, analysis.InputBeta))
		}
	}
	outputs := g.Outputs()
	switch {
	case l.image == nil:
		return refused(l.path, fmt.Errorf("has no input for a picture, float [N C H W]"))
	case len(outputs) != 1:
		return refused(l.path, fmt.Errorf("has %d outputs, a denoiser has one", len(outputs)))
	case outputs[0].Type.DType != onnx.Float:
		return refused(l.path, fmt.Errorf("output %s is %v, wants float", quote(outputs[0].Name), outputs[0].Type))
	case l.beta == nil && l.IsSet("beta"):
		return misuse("--beta: %s has no input %s, a single number", quote(l.path), analysis.InputBeta)
	}
	return l.strength()
}

// strength is --beta, or what the model has or recommends.
func (l *learning) strength() error {
	if l.beta == nil {
		return nil
	}
	if l.value = l.Float("beta"); l.IsSet("beta") {
		return nil
	}
	if l.beta.IsInitializer() {
		if v, ok := l.beta.Const.Reals(); ok && len(v) == 1 {
			l.value = v[0]
			return nil
		}
	}
	text, _ := l.model.Metadata.Get(analysis.KeyBeta)
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v >= 0) || v > math.MaxFloat32 {
		return misuse("%s does not say which beta it wants: give --beta", quote(l.path))
	}
	l.value = v
	return nil
}

// frames cuts the photo into what the input takes: as it is, or plane by plane.
func (l *learning) frames() ([]*onnx.Tensor, error) {
	shape, p := l.image.Type.Shape, l.photo
	if shape[1].Known() && shape[1].Size == 3 && p.noisy.Channels == 1 {
		p.noisy = p.noisy.RGB()
		if p.clean != nil {
			p.clean = p.clean.RGB()
		}
	}
	m := p.noisy
	for i, n := range []int{m.Height, m.Width} {
		if d := shape[2+i]; d.Known() && d.Size != int64(n) {
			return nil, refused(l.path, fmt.Errorf("is for pictures of %v x %v pixels, the photo has %d x %d", shape[3], shape[2], m.Width, m.Height))
		}
	}
	if text, ok := l.model.Metadata.Get(analysis.KeySide); ok {
		if side, err := strconv.Atoi(text); err == nil && min(m.Width, m.Height) < side {
			return nil, refused(l.path, fmt.Errorf("works on patches of %d x %d pixels, the photo has %d x %d", side, side, m.Width, m.Height))
		}
	}
	for i, v := range m.Pix {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return nil, refused(l.Arg(0), fmt.Errorf("sample %d is %v", i, v))
		}
	}
	whole := m.Tensor()
	switch c := shape[1]; {
	case shape[0].Known() && shape[0].Size != 1:
		return nil, refused(l.path, fmt.Errorf("input %s is %v: wants one picture, or any number", quote(l.image.Name), l.image.Type))
	case !c.Known() || c.Size == int64(m.Channels):
		return []*onnx.Tensor{whole}, nil
	case c.Size != 1:
		return nil, refused(l.path, fmt.Errorf("is for pictures of %d channels, the photo has %d", c.Size, m.Channels))
	}
	n, frames := m.Width*m.Height, []*onnx.Tensor{}
	for i := range m.Channels {
		frames = append(frames, onnx.FromSlice(m.Pix[i*n:(i+1)*n], 1, 1, int64(m.Height), int64(m.Width)))
	}
	return frames, nil
}

// document is the summary as far as it is known before the run.
func (l *learning) document(task denoiseTask) *learned {
	m := l.photo.noisy
	doc := &learned{Task: task.Name, Method: methodLearned, Model: l.path, Width: m.Width, Height: m.Height, Channels: m.Channels, Seed: l.Common.Seed}
	for _, kv := range l.model.Metadata {
		if doc.Metadata == nil {
			doc.Metadata = map[string]string{}
		}
		doc.Metadata[kv.Key] = kv.Value
	}
	if l.beta != nil {
		doc.Beta = &l.value
	}
	return doc
}

// denoise runs the model on the frames and puts the picture together.
func (l *learning) denoise(frames []*onnx.Tensor, doc *learned) (*dataset.Image, error) {
	s, err := l.openSession(l.model, l.path)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	feeds := map[string]*onnx.Tensor{}
	if l.beta != nil {
		feeds[l.beta.Name] = onnx.Scalar(float32(l.value))
		if len(l.beta.Type.Shape) == 1 {
			feeds[l.beta.Name] = onnx.FromSlice([]float32{float32(l.value)})
		}
	}
	var pix []float32
	begin := time.Now()
	l.Progress().Stage("denoise", len(frames))
	for i, f := range frames {
		feeds[l.image.Name] = f
		out, err := s.Run(l.Context(), feeds)
		if err != nil {
			return nil, runtimeError(err, l.path)
		}
		y := out[l.model.Graph.Outputs()[0].Name]
		if len(y.Float32s()) != len(f.Float32s()) {
			return nil, refused(l.path, fmt.Errorf("gives %v for a picture of %v", y.Type(), f.Type()))
		}
		pix = append(pix, y.Float32s()...)
		l.Progress().Step(i+1, "")
	}
	l.Progress().Done()
	doc.RunSeconds = time.Since(begin).Seconds()
	for i, v := range pix {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return nil, failed(fmt.Errorf("%s gives %v for sample %d", l.path, v, i), "the model is not made for this picture, or its beta not for these numbers")
		}
	}
	doc.executed = l.executed()
	return l.photo.noisy.WithPix(pix)
}
