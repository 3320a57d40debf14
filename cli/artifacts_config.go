package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/onnx"
	"graft/onnx/rewrite"
	"graft/training"
	"graft/training/loss"
	"graft/training/optim"
	"graft/training/setting"
)

func lossNames() []string {
	var names []string
	for _, l := range loss.Catalog {
		names = append(names, l.Loss.Name)
	}
	return names
}

func optimizerNames() []string {
	var names []string
	for _, o := range optim.Catalog {
		names = append(names, o.Name)
	}
	return names
}

// ownedSetting is a setting and the loss or optimizer that has it.
type ownedSetting struct {
	owner string
	setting.Setting
}

func optimizerSettings() (list []ownedSetting) {
	for _, o := range optim.Catalog {
		for _, s := range o.Settings {
			list = append(list, ownedSetting{o.Name, s})
		}
	}
	return list
}

func lossSettings() (list []ownedSetting) {
	for _, l := range loss.Catalog {
		for _, s := range l.Settings {
			list = append(list, ownedSetting{l.Loss.Name, s})
		}
	}
	return list
}

// settingFlags makes a flag of each setting of a table. Several rows may have a setting, with usual values of their own: the
// help lists them.
func settingFlags(list []ownedSetting, section string) (flags []cli.Flag) {
	var names []string
	usual := map[string]string{}
	for _, s := range list {
		if !slices.Contains(names, s.Name) {
			names = append(names, s.Name)
		} else {
			usual[s.Name] += ", "
		}
		usual[s.Name] += s.owner + " " + short(s.Default)
	}
	for _, name := range names {
		s := list[slices.IndexFunc(list, func(s ownedSetting) bool { return s.Name == name })]
		flags = append(flags, number(name, "X", below(s.Low, s.High), 0, s.Usage+" ("+usual[name]+")").under(section))
	}
	return flags
}

// settings are those of the list that the line gives.
func (c *call) settings(list []ownedSetting) map[string]float64 {
	given := map[string]float64{}
	for _, s := range list {
		if c.IsSet(s.Name) {
			given[s.Name] = c.Float(s.Name)
		}
	}
	return given
}

// artifactConfig reads the flags; what they leave open is the source's.
func (c *call) artifactConfig(source *artifactSource) (training.ArtifactConfig, error) {
	config := training.ArtifactConfig{Output: c.Text("output"), FrozenNorms: c.Text("bn") == "frozen", ClipNorm: c.Float("clip-norm"),
		Accumulate: int64(c.Int("accumulate")), Recompute: int(c.Int("recompute")), EMA: c.Float("ema"),
		Dropout: c.Bool("dropout"), DropoutSeed: c.Common.Seed, StraightThrough: c.Bool("straight-through"), Provider: c.Common.Provider, Deterministic: c.Common.Deterministic,
		Precision: map[string]onnx.DataType{"fp16": onnx.Float16, "bf16": onnx.BFloat16}[c.Text("precision")]}
	var err error
	if c.Text("loss") == "" {
		if source.loss == nil {
			return config, misuse("flag --loss is missing: there are %s", strings.Join(lossNames(), ", "))
		}
		if len(c.settings(lossSettings())) > 0 {
			return config, misuse("settings of a loss want --loss")
		}
	} else if config.Loss, err = c.loss(); err != nil {
		return config, err
	}
	if c.Text("optimizer") == "" {
		if source.optimizer == nil {
			return config, misuse("flag --optimizer is missing: there are %s", strings.Join(optimizerNames(), ", "))
		}
		if len(c.settings(optimizerSettings())) > 0 {
			return config, misuse("settings of an optimizer want --optimizer")
		}
	} else if config.Optimizer, err = optim.New(c.Text("optimizer"), c.settings(optimizerSettings())); err != nil {
		return config, misuse("%v%s", err, didYouMean(nearest(c.Text("optimizer"), optimizerNames())))
	}
	for flag, to := range map[string]**regexp.Regexp{"train": &config.Train, "freeze": &config.Freeze} {
		if c.Text(flag) == "" {
			continue
		}
		if *to, err = regexp.Compile(c.Text(flag)); err != nil {
			return config, misuse("--%s: %v", flag, err)
		}
	}
	source.complete(&config)
	config.Teacher, err = c.teacher()
	return config, err
}

// teacher is the model of --teacher, its batch freed like the model's; nil without it.
func (c *call) teacher() (*training.Teacher, error) {
	path := c.Text("teacher")
	if path == "" {
		for _, f := range []string{"teacher-weight", "temperature"} {
			if c.IsSet(f) {
				return nil, misuse("--%s goes with --teacher", f)
			}
		}
		return nil, nil
	}
	m, err := c.loadModel(path)
	if err != nil {
		return nil, err
	}
	if c.Bool("free-batch") {
		if err := rewrite.FreeBatch(m, "batch"); err != nil {
			return nil, refused(path, err)
		}
	}
	return &training.Teacher{Model: m, Weight: c.Float("teacher-weight"), Temperature: c.Float("temperature")}, nil
}

// loss is one of the table, or a model in a file.
func (c *call) loss() (loss.Loss, error) {
	name := c.Text("loss")
	given := c.settings(lossSettings())
	if slices.Contains(lossNames(), name) {
		l, err := loss.New(name, given)
		if err != nil {
			return l, misuse("%v", err)
		}
		return l, nil
	}
	if _, err := os.Stat(name); err != nil && filepath.Ext(name) != ".onnx" {
		return loss.Loss{}, misuse("loss %s: no such loss, there are %s; nor is it a file%s", quote(name), strings.Join(lossNames(), ", "), didYouMean(nearest(name, lossNames())))
	}
	if len(given) > 0 {
		return loss.Loss{}, misuse("a loss that is a model takes no settings: they are constants of the model")
	}
	m, err := c.loadModel(name)
	if err != nil {
		return loss.Loss{}, err
	}
	return loss.OfModel(filepath.Base(name), m), nil
}
