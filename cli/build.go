package cli

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/graphs"
	"graft/graphs/analysis"
	"graft/onnx"
	"graft/onnx/inspect"
)

var buildVerb = verb{
	name: "build", args: "[NETWORK]", short: "make a network with fresh weights",
	long: "Writes an ONNX file of one of the networks that --list names, its weights drawn from --seed.\n" +
		"--set changes a field of the network's configuration; --list --verbose shows the fields.",
	examples: []string{
		"graft build hourglass --out hourglass.onnx",
		"graft build hourglass --preset quick --size 128x192 --out small.onnx",
		"graft build hourglass --set channels=16,32,64 --set upkernel=5 --out own.onnx",
		"graft build analysis --operator W.npy --set beta=0.1 --out denoiser.onnx",
		"graft build --list",
	},
	groups: writes | writesModel,
	flags: []cli.Flag{
		text("preset", "NAME", "configuration to start from; paper unless given"),
		text("size", "H[xW]", "height and width of the image in pixels"),
		repeated("set", "KEY=VALUE", "a field of the configuration; repeatable"),
		text("operator", "FILE", "analysis, analysis-filters, analysis-signals: the operator W [rows, pixels], and beta where the file has it: .npy, .npz, .safetensors, .json"),
		toggle("list", "list the networks"),
	},
	run: runBuild,
}

// built is the document of graft build --json.
type built struct {
	Network    string         `json:"network"`
	Preset     string         `json:"preset"`
	Settings   []string       `json:"settings"`
	Seed       uint64         `json:"seed"`
	File       string         `json:"file"`
	Bytes      int64          `json:"bytes"`
	Parameters int64          `json:"parameters"`
	MACs       int64          `json:"macs"`
	Inputs     []inspect.Port `json:"inputs"`
	Outputs    []inspect.Port `json:"outputs"`
	*savedModel
}

func runBuild(c *call) error {
	if c.Bool("list") {
		if c.Arg(0) != "" {
			return misuse("--list takes no network")
		}
		return listNetworks(c)
	}
	if c.Arg(0) == "" {
		return &Error{Reason: "argument NETWORK is missing", Hint: "graft build --list shows the networks", Code: exitUsage}
	}
	out, err := c.OutFile()
	if err != nil {
		return err
	}
	network, doc, err := c.network()
	if err != nil {
		return err
	}
	m, err := network.Build(c.Common.Seed)
	if _, unfit := errors.AsType[*analysis.OperatorError](err); unfit && c.Text("operator") != "" {
		return refused(c.Text("operator"), err)
	}
	if err != nil {
		return &Error{Err: err, Code: exitUsage}
	}
	doc.describe(m)
	if doc.savedModel, err = c.saveModel(m, out, false, nil); err != nil {
		return err
	}
	doc.File, doc.Bytes = out, doc.bytes
	c.JSON(doc)
	if c.Common.DryRun {
		c.Print("would write %s: %s, %s parameters, %s", out, doc.Network, grouped(doc.Parameters), size(doc.Bytes))
		return nil
	}
	c.Print("%s: %s, %s parameters, %s", out, doc.Network, grouped(doc.Parameters), size(doc.Bytes))
	c.Print("%s -> %s", portList(doc.Inputs), portList(doc.Outputs))
	return nil
}

// network is the configuration that the command line asks for.
func (c *call) network() (graphs.Network, *built, error) {
	entry, err := findNetwork(c.Arg(0))
	if err != nil {
		return nil, nil, err
	}
	preset := c.Text("preset")
	if preset == "" {
		preset = "paper"
	}
	network, ok := entry.Presets[preset]
	if !ok {
		return nil, nil, misuse("network %s has no preset %q: there are %s", entry.Name, preset, strings.Join(presets(entry), ", "))
	}
	if s := c.Text("size"); s != "" {
		h, w, err := parseSize(s)
		if err != nil {
			return nil, nil, err
		}
		for _, kv := range [][2]string{{"height", h}, {"width", w}} {
			if network, err = graphs.Set(network, kv[0], kv[1]); err != nil {
				return nil, nil, misuse("--size: %v", err)
			}
		}
	}
	for _, s := range c.List("set") {
		key, value, found := strings.Cut(s, "=")
		if !found {
			return nil, nil, misuse("--set %s: wants KEY=VALUE", quote(s))
		}
		if network, err = graphs.Set(network, key, value); err != nil {
			return nil, nil, misuse("--set %s: %v", quote(s), err)
		}
	}
	if network, err = c.withOperator(network); err != nil {
		return nil, nil, err
	}
	return network, &built{Network: entry.Name, Preset: preset, Settings: graphs.Settings(network), Seed: c.Common.Seed}, nil
}

// parseSize reads "H" or "HxW".
func parseSize(s string) (h, w string, err error) {
	h, w, two := strings.Cut(s, "x")
	if !two {
		w = h
	}
	for _, side := range []string{h, w} {
		if n, err := strconv.ParseUint(side, 10, 15); err != nil || n == 0 {
			return "", "", misuse("--size %s: wants pixels as H or HxW, as in 512 or 320x480", quote(s))
		}
	}
	return h, w, nil
}

func presets(e graphs.Entry) []string { return slices.Sorted(maps.Keys(e.Presets)) }

func (b *built) describe(m *onnx.Model) {
	s := inspect.Describe(m)
	b.Parameters, b.MACs, b.Inputs, b.Outputs = s.Parameters, s.MACs, s.Inputs, s.Outputs
}

// listed is one network of graft build --list --json.
type listed struct {
	Name    string              `json:"name"`
	Short   string              `json:"short"`
	Presets map[string][]string `json:"presets"`
}

func listNetworks(c *call) error {
	doc := struct {
		Networks []listed `json:"networks"`
	}{}
	t := table{Head: []string{"network", "presets", "what"}}
	for _, e := range networks {
		l := listed{Name: e.Name, Short: e.Short, Presets: map[string][]string{}}
		for name, n := range e.Presets {
			l.Presets[name] = graphs.Settings(n)
		}
		doc.Networks = append(doc.Networks, l)
		t.Add(e.Name, strings.Join(presets(e), ", "), e.Short)
	}
	c.JSON(doc)
	c.Table(t)
	for _, l := range doc.Networks {
		for _, name := range slices.Sorted(maps.Keys(l.Presets)) {
			c.Detail("%s --preset %s: %s", l.Name, name, strings.Join(l.Presets[name], " "))
		}
	}
	return nil
}
