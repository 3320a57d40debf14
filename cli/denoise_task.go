package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/training/degrade"
)

// denoiseTask is what --task chooses, with what the flags say of it.
type denoiseTask struct {
	Name     string
	Simulate bool               // the photo is clean and is degraded first
	Settings map[string]float64 // of the degradation, by its names
}

// taskFlag is a flag that belongs to one task.
type taskFlag struct {
	flag     *option
	task     string
	setting  string // of the degradation; empty: none
	simulate bool   // naming it asks for a simulation
}

// taskFlags list the flags of tasks.
var taskFlags = []taskFlag{
	{fraction("noise", "SIGMA", above(0, 1), 0, "gaussian: take the photo as clean and add noise of this standard deviation (25/255 is accepted)"), "gaussian", "sigma", true},
	{number("peak", "N", below(0.1, 1e6), 0, "poisson: take the photo as clean and count photons, so many where it is white"), "poisson", "peak", true},
	{fraction("density", "D", span{hi: 1, openLo: true, openHi: true}, 0, "salt-and-pepper: take the photo as clean and make this fraction of the pixels white or black"), "salt-and-pepper", "amount", true},
	{fraction("missing", "F", span{hi: 1, openLo: true, openHi: true}, 0, "inpaint: take the photo as clean and leave this fraction of the pixels out, by chance"), "inpaint", "missing", true},
	{text("hole", "FILE", "inpaint: a picture that is white where pixels are missing"), "inpaint", "", false},
	{integer("factor", "N", 2, 16, 2, "super-resolution: how many times larger the result is than what was measured"), "super-resolution", "factor", false},
	{integer("quality", "N", 1, 100, 0, "jpeg: take the photo as clean and compress it with this quality"), "jpeg", "quality", true},
	{fraction("measured", "F", span{lo: 0.01, hi: 1}, 0, "fourier: take the photo as clean and measure this fraction of the columns of its Fourier transform"), "fourier", "measured", true},
	{fraction("center", "F", between(0, 1), 0, "fourier: this fraction of the columns is always measured, of the lowest frequencies"), "fourier", "center", true},
}

// taskOptions are the flags of the verb that are about tasks.
func taskOptions() []cli.Flag {
	list := []cli.Flag{
		choice("task", "gaussian", "what is wrong with the photo", degrade.Names()...).under("Task"),
		toggle("simulate", "take the photo as clean and degrade it first, with the seed").under("Task"),
	}
	for _, f := range taskFlags {
		list = append(list, f.flag.under("Task"))
	}
	return list
}

// readTask takes the task from the flags, and refuses those of another.
func readTask(c *call) (denoiseTask, error) {
	t := denoiseTask{Name: c.Text("task"), Simulate: c.Bool("simulate"), Settings: map[string]float64{}}
	for _, f := range taskFlags {
		name := f.flag.name
		if !c.IsSet(name) {
			continue
		}
		if f.task != t.Name {
			return t, misuse("--%s is for --task %s, not for %s", name, f.task, t.Name)
		}
		t.Simulate = t.Simulate || f.simulate
		if f.setting != "" {
			t.Settings[f.setting] = c.Float(name) + float64(c.Int(name)) // one is of the flag's kind, the other 0
		}
	}
	if _, given := t.Settings["sigma"]; t.Name == "gaussian" && t.Simulate && !given {
		t.Settings["sigma"] = 0.1
	}
	switch {
	case t.Simulate && c.IsSet("clean"):
		return t, misuse("--clean and a simulation exclude each other: simulated, the photo itself is the clean one")
	case c.IsSet("hole") && c.IsSet("missing"):
		return t, misuse("--hole and --missing exclude each other: one says where pixels are missing, the other lets chance say")
	case t.Name == "inpaint" && !t.Simulate && !c.IsSet("hole"):
		return t, misuse("--task inpaint needs --hole FILE, white where pixels are missing, or --missing FRACTION for a trial on a clean photo")
	case t.Name == "fourier" && !t.Simulate:
		return t, misuse("--task fourier is tried on clean photos alone: give --measured FRACTION or --simulate")
	case t.Name == "super-resolution" && !t.Simulate && c.IsSet("size"):
		return t, misuse("--size and --task super-resolution exclude each other: the result has --factor times the photo's size")
	}
	return t, nil
}

// observes says whether something other than the picture itself is measured.
func (t denoiseTask) observes() bool {
	return t.Name == "inpaint" || t.Name == "super-resolution" || t.Name == "fourier"
}

// adjective says what a picture is before it is restored.
func (t denoiseTask) adjective() string {
	if t.Name == "gaussian" {
		return "noisy"
	}
	return "degraded"
}

// verb says what a run does.
func (t denoiseTask) verb() string {
	if t.Name == "gaussian" {
		return "denoise"
	}
	return "restore"
}

// participle says what a picture is that was restored.
func (t denoiseTask) participle() string {
	if t.Name == "gaussian" {
		return "denoised"
	}
	return "restored"
}

// describe is the task with its settings, the same for the same.
func (t denoiseTask) describe() string {
	parts := []string{t.Name}
	if t.Simulate {
		parts = append(parts, "simulated")
	}
	for name, v := range t.Settings {
		parts = append(parts, fmt.Sprintf("%s=%v", name, v))
	}
	slices.Sort(parts[1:])
	return strings.Join(parts, " ")
}
