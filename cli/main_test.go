package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/urfave/cli/v2"

	ortruntime "graft/runtime"
	"graft/runtime/runtimetest"
)

// runtimeLibrary is the machine's ONNX Runtime, "" when there is none. The scripts have a home of their own, so that they are
// told where it is; those that run a model begin with the condition ort.
var runtimeLibrary = sync.OnceValue(func() string {
	if ortruntime.Supported() != nil {
		return ""
	}
	library, err := ortruntime.FindLibrary(ortruntime.Options{})
	if err != nil {
		return ""
	}
	return library.Path
})

// TestMain gives the scripts four commands: graft itself, graftprobe, which
// is graft with one more verb that shows what the frame hands to a verb, and
// graftfixture, which writes model files, broken ones among them, and
// graftphoto, which writes photos.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"graft":        func() { os.Exit(Main(os.Args)) },
		"graftfixture": func() { os.Exit(writeFixture(os.Args[1:])) },
		"graftphoto":   func() { os.Exit(writePhoto(os.Args[1:])) },
		"graftprobe": func() {
			a := NewApp(os.Stdin, os.Stdout, os.Stderr)
			a.signals = true
			a.verbs = append([]verb{probeVerb}, a.verbs...)
			os.Exit(a.main(os.Args))
		},
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("GRAFT_ORT_LIB", os.Getenv("GRAFT_ORT_LIB"))
			if library := runtimeLibrary(); library != "" {
				e.Setenv("GRAFT_ORT_LIB", library)
			}
			// The provider that tests of devices run on, and what its libraries look at.
			e.Setenv("PROVIDER", ortruntime.ProviderName(runtimetest.Provider()))
			for _, name := range []string{"LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "VK_ICD_FILENAMES"} {
				e.Setenv(name, os.Getenv(name))
			}
			return nil
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "ort":
			case "device":
				return ortruntime.ProviderName(runtimetest.Provider()) != ortruntime.CPU, nil
			case "cpulibrary": // ONNX Runtime without a provider for CUDA
				info, err := ortruntime.Info(ortruntime.Options{Library: runtimeLibrary()})
				return runtimeLibrary() != "" && err == nil && !slices.Contains(info.Providers, ortruntime.CUDA), nil
			default:
				return false, fmt.Errorf("unknown condition %q", cond)
			}
			if runtimeLibrary() == "" && os.Getenv("ORT_REQUIRED") == "1" {
				return false, errors.New("ORT_REQUIRED=1, and there is no ONNX Runtime")
			}
			return runtimeLibrary() != "", nil
		},
	})
}

// probeVerb takes every kind of flag and does on request what verbs do wrong.
var probeVerb = verb{
	name: "probe", short: "show what the frame hands over", examples: []string{"graft probe fine x.png --noise 25/255"},
	subs: []verb{{
		name: "fine", args: "MODE [FILE ...]", short: "run in a mode", groups: readsModel | runsModel | writes,
		flags: []cli.Flag{
			fraction("noise", "SIGMA", between(0, 1), -1, "standard deviation on the [0, 1] scale"),
			number("lr", "X", above(0, 10), 0.01, "learning rate"),
			number("sparsity", "S", below(0, 1), 0, "fraction removed"),
			integer("size", "N", 32, 8192, 0, "longer side in pixels"),
			choice("preset", "quick", "how much work", "quick", "balanced", "paper"),
			list("baseline", "NAMES", "baselines"),
			repeated("set", "KEY=VALUE", "a setting"),
			toggle("resume", "go on where the last run stopped"),
			&cli.DurationFlag{Name: "patience", Usage: "a stock flag"},
		},
		run: runProbe,
	}},
}

type probed struct {
	Args     []string `json:"args"`
	Noise    float64  `json:"noise"`
	LR       float64  `json:"lr"`
	Sparsity float64  `json:"sparsity"`
	Size     int      `json:"size"`
	Preset   string   `json:"preset"`
	Baseline []string `json:"baseline"`
	Set      []string `json:"set"`
	Resume   bool     `json:"resume"`
	HasNoise bool     `json:"has_noise"`
	Common   common   `json:"common"`
}

func probe(c *call) probed {
	return probed{
		Args: c.Args, Noise: c.Float("noise"), LR: c.Float("lr"), Sparsity: c.Float("sparsity"), Size: c.Int("size"),
		Preset: c.Text("preset"), Baseline: c.List("baseline"), Set: c.List("set"), Resume: c.Bool("resume"),
		HasNoise: c.IsSet("noise"), Common: c.Common,
	}
}

func runProbe(c *call) error {
	c.JSON(probe(c))
	switch c.Arg(0) {
	case "values":
		p := probe(c)
		c.Print("args %q noise %g lr %g size %d preset %s baseline %q set %q resume %t out %s seed %d",
			fmt.Sprint(p.Args), p.Noise, p.LR, p.Size, p.Preset, fmt.Sprint(p.Baseline), fmt.Sprint(p.Set), p.Resume, p.Common.Out, p.Common.Seed)
	case "table":
		t := table{Head: []string{"name", "total", "kept"}}
		t.Add("enc1/Conv", 9216, 461)
		t.Add("evil\x1b[2J\nname", 7, 1)
		c.Table(t)
	case "write":
		path, err := c.OutFile()
		if err != nil || c.Common.DryRun {
			return err
		}
		return writeFile(path, []byte("made\n"))
	case "no":
		c.Print("they differ")
		return no("two outputs differ")
	case "open":
		_, err := os.Open(c.Arg(1))
		return err
	case "full":
		return fmt.Errorf("write checkpoint: %w", &os.PathError{Op: "write", Path: "out/x", Err: syscall.ENOSPC})
	case "refused":
		return refused("bad\x1b[31m.onnx", errors.New("graph is cyclic: a -> b\nb -> a"))
	case "layered":
		return fmt.Errorf("open session: %w", runtimeFault{})
	case "say":
		c.Progress().Stage("learn mask", 10)
		c.Progress().Step(5, "loss 0.5")
		c.Say("a message with %s", "\x1b[2J")
		c.Detail("a detail")
	case "echo":
		b, err := io.ReadAll(c.Stdin())
		c.Print("%s", string(b))
		return err
	case "wait":
		c.Say("waiting")
		select {
		case <-c.Context().Done():
			return c.Context().Err()
		case <-time.After(20 * time.Second):
			return errors.New("nobody stopped it")
		}
	case "stubborn":
		c.Say("waiting")
		time.Sleep(20 * time.Second)
	case "panic":
		go func() { panic("index out of range in a kernel") }()
		time.Sleep(20 * time.Second)
	case "segv":
		return die(syscall.SIGSEGV)
	case "kill":
		return die(syscall.SIGKILL)
	case "abort":
		signal.Reset(syscall.SIGABRT)
		return die(syscall.SIGABRT)
	case "exit":
		os.Exit(1)
	case "recurse":
		debug.SetMaxStack(1 << 20)
		c.Print("%d", recurse(1))
	case "limits":
		return printLimits(c)
	case "huge":
		b := make([]byte, 1<<45)
		b[len(b)-1] = 1
		runtime.KeepAlive(b)
	}
	return nil
}

type runtimeFault struct{}

func (runtimeFault) Error() string { return "kernel Conv failed" }
func (runtimeFault) ExitCode() int { return exitRuntime }
func (runtimeFault) Hint() string  { return "try --provider cpu" }
func (runtimeFault) File() string  { return "model.onnx" }

// recurse runs out of stack long before it ends.
func recurse(n int) int {
	if n < 0 {
		return 0
	}
	return recurse(n+1) + 1
}

// die raises a signal for this process and waits for it.
func die(s syscall.Signal) error {
	p, err := os.FindProcess(os.Getpid())
	if err != nil {
		return err
	}
	if err := p.Signal(s); err != nil {
		return err
	}
	time.Sleep(20 * time.Second)
	return errors.New("the signal did not arrive")
}
