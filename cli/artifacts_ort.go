package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"graft/onnx"
	"graft/training"
	"graft/training/loss"
	"graft/training/ort"
)

// artifactSource is what artifacts are made of: a model, and for what ONNX Runtime's own training made also loss, optimizer
// and state.
type artifactSource struct {
	file      string // in messages
	model     *onnx.Model
	loss      *loss.Loss
	optimizer *ort.Optimizer
	begin     *training.Beginning
	train     *regexp.Regexp
	rate      float64 // 0: the optimizer's
}

// artifactSource reads the argument: a model, or a folder of ONNX Runtime's artifacts, and the checkpoint that goes with it.
func (c *call) artifactSource() (*artifactSource, error) {
	s := &artifactSource{file: c.Arg(0)}
	checkpoint, optimizer := c.Text("checkpoint"), ""
	if info, err := os.Stat(s.file); err == nil && info.IsDir() {
		dir := s.file
		s.file, optimizer = filepath.Join(dir, training.TrainingFile), filepath.Join(dir, training.OptimizerFile)
		if checkpoint == "" {
			checkpoint = filepath.Join(dir, "checkpoint")
		}
		if info, err := os.Stat(checkpoint); err == nil && info.IsDir() {
			return nil, refused(dir, errors.New("is a folder of graft's own artifacts: graft train trains it, graft export exports its model"))
		}
	}
	var err error
	if s.model, err = c.loadModel(s.file); err != nil {
		return nil, err
	}
	if checkpoint == "" {
		return s, nil
	}
	state, err := ort.ReadCheckpoint(checkpoint)
	if err != nil {
		return nil, refused(checkpoint, err)
	}
	if err := s.forward(state); err != nil {
		return nil, refused(s.file, err)
	}
	if optimizer == "" || c.Text("optimizer") != "" {
		return s, nil
	}
	m, err := c.loadModel(optimizer)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	if s.optimizer, err = ort.NewOptimizer(m); err != nil {
		return nil, refused(optimizer, err)
	}
	return s, nil
}

// forward takes network, loss and state from a model whose parameters are inputs; of one whose parameters are initializers
// it replaces their values.
func (s *artifactSource) forward(state *ort.Checkpoint) error {
	inputs := false
	for _, v := range s.model.Graph.Inputs() {
		inputs = inputs || !v.IsInitializer() && state.Tensor(v.Name) != nil
	}
	if inputs {
		f, err := ort.NewForward(s.model, state)
		if err != nil {
			return err
		}
		s.model, s.loss = f.Model, &f.Loss
	} else {
		for _, t := range slices.Concat(state.Trained, state.Frozen) {
			if err := setWeight(s.model.Graph, t.Name, t); err != nil {
				return err
			}
		}
	}
	if len(state.Trained) == 0 {
		return errors.New("the checkpoint has no parameter that is trained")
	}
	names := make([]string, len(state.Trained))
	for i, t := range state.Trained {
		names[i] = regexp.QuoteMeta(t.Name)
	}
	s.train = regexp.MustCompile("^(?:" + strings.Join(names, "|") + ")$")
	if len(state.Groups) > 1 {
		return errors.New("the checkpoint has several optimizer groups, one is supported")
	}
	for _, g := range state.Groups {
		s.begin = &training.Beginning{Updates: g.Step, Slots: g.Slots}
		if r := float64(g.LearningRate); r > 0 && r < 1000 {
			s.rate = r
		}
	}
	return nil
}

// complete puts in what the line leaves to the source.
func (s *artifactSource) complete(config *training.ArtifactConfig) {
	if config.Loss.Name == "" && s.loss != nil {
		config.Loss = *s.loss
	}
	if config.Optimizer.Name == "" && s.optimizer != nil {
		config.Optimizer = s.optimizer.Optimizer
		if config.ClipNorm == 0 {
			config.ClipNorm = s.optimizer.ClipNorm
		}
		if s.rate > 0 {
			config.Optimizer.LearningRate = s.rate
		}
	}
	if config.Train == nil && config.Freeze == nil {
		config.Train = s.train
	}
	config.Begin = s.begin
}
