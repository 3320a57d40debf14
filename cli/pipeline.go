package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/cli/pipeline"
	"graft/export"
	"graft/onnx/atomicfile"
	"graft/onnx/limits"
	"graft/runtime"
)

var pipelineVerb = verb{
	name: "pipeline", short: "run verbs as the steps of a file", examples: []string{"graft pipeline run shrink.yaml"},
	subs: []verb{pipelineRunVerb, pipelineGraphVerb, pipelineSchemaVerb},
}

var pipelineRunVerb = verb{
	name: "run", args: "FILE", short: "run the steps of a pipeline whose results are not there yet",
	long: `A step is a verb with its flags; it reads what other steps wrote by their names, and runs once for each cell of the
matrix that it sees. A result is kept with the hash of all that it follows from: the program, the flags, every byte of every
file. Nothing else makes a step run again. Steps that do not need each other run at a time.

Results lie in --out, which is FILE without its ending and with .out unless given: a folder for each step, and report.json.
--threads, --provider, --ort-lib and --seed hold for every step that does not have its own. The exit code is 1 when a step
failed; what other steps finished is kept.`,
	examples: []string{
		"graft pipeline run shrink.yaml",
		"graft pipeline run shrink.yaml --dry-run",
		"graft pipeline run shrink.yaml --jobs 4 --allow ../models --out results/ --json",
	},
	groups: writes,
	flags: []cli.Flag{
		integer("jobs", "N", 0, maxThreads, 0, "steps at a time; 0: half as many as processors"),
		repeated("allow", "DIR", "folder besides the pipeline's own that steps may read; repeatable"),
		toggle("no-cache", "run every step, whatever is there"),
	},
	run: runPipeline,
}

// forSteps are the flags that hold for the steps too.
var forSteps = []string{"threads", "provider", "ort-lib", "seed"}

// runnersFlags are those that a step cannot have, because the pipeline sets them, and why.
var runnersFlags = map[string]string{
	"out": "an output is written out: NAME, or outputs: {FLAG: NAME}", "json": "every step's document is in the report",
	"quiet": "steps print nothing", "verbose": "steps print nothing", "force": "a step's folder is always its own",
	"dry-run": "give it to graft pipeline run",
}

// notSteps are verbs that make no sense as a step.
var notSteps = []string{"pipeline run", "pipeline graph", "pipeline schema", "completion", "man"}

// stepVerbs are the verbs that a step may have, by their paths.
func stepVerbs(table []verb) (names []string, byName map[string]*verb) {
	byName = map[string]*verb{}
	var walk func(path string, list []verb)
	walk = func(path string, list []verb) {
		for i := range list {
			v, name := &list[i], strings.TrimSpace(path+" "+list[i].name)
			if v.run == nil {
				walk(name, v.subs)
			} else if !v.hidden && !slices.Contains(notSteps, name) {
				names = append(names, name)
				byName[name] = v
			}
		}
	}
	walk("", table)
	return names, byName
}

// readPipeline reads the file and holds every step against the verbs, before anything runs.
func (c *call) readPipeline(places pipeline.Places) (*pipeline.Plan, error) {
	f, err := pipeline.Read(c.Arg(0))
	if err != nil {
		return nil, refused(c.Arg(0), err)
	}
	names, byName := stepVerbs(c.app.verbs)
	for _, s := range f.Steps {
		if s.Verb = strings.Join(strings.Fields(s.Verb), " "); byName[s.Verb] == nil {
			return nil, refused(c.Arg(0), f.Refuse(s, "unknown verb %s%s", quote(s.Verb), didYouMean(nearest(s.Verb, names))))
		}
		for _, flag := range s.Flags {
			if why := runnersFlags[flag.Name]; why != "" {
				return nil, refused(c.Arg(0), f.Refuse(s, "flag --%s: %s", flag.Name, why))
			}
		}
		s.Alone = s.Alone || s.Verb == "bench"
	}
	plan, err := f.Plan(places)
	if err != nil {
		return nil, refused(c.Arg(0), err)
	}
	for _, r := range plan.Runs {
		line, err := reorder(c.app.verbs, r.Command())
		if err == nil && line.help {
			err = errors.New("--help is no flag of a step")
		}
		if err != nil {
			return nil, refused(c.Arg(0), f.Refuse(r.Step, "%v", err))
		}
	}
	if err := plan.Check(); err != nil {
		return nil, refused(c.Arg(0), err)
	}
	return plan, nil
}

func runPipeline(c *call) error {
	work, err := resultFolder(c.Out(), c.Arg(0))
	if err != nil {
		return err
	}
	plan, err := c.readPipeline(pipeline.Places{Work: work, Allow: c.List("allow")})
	if err != nil {
		return err
	}
	stamp, err := c.stamp(plan)
	if err != nil {
		return err
	}
	jobs := c.Int("jobs")
	if jobs == 0 {
		jobs = max(1, goruntime.NumCPU()/2)
	}
	o := pipeline.Options{Jobs: jobs, Anew: c.Bool("no-cache"), Stamp: stamp, DryRun: c.Common.DryRun, Execute: c.runStep}
	if c.Common.DryRun {
		report := plan.Run(c.Context(), o)
		c.JSON(report)
		c.printReport(report)
		return nil
	}
	release, err := claimFolder(work, c.Common.Force)
	if err != nil {
		return err
	}
	defer release()
	c.Progress().Stage("pipeline "+plan.File.Name, len(plan.Runs))
	ended := 0
	o.Event = func(s *pipeline.StepRun) {
		ended++
		c.Progress().Step(ended, s.ID)
		if s.Status != pipeline.Cached {
			c.Say("%s: %s%s", s.ID, s.Status, because(s.Reason))
		}
	}
	report := plan.Run(c.Context(), o)
	c.JSON(report)
	data, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(work, "report.json"), append(data, '\n')); err != nil {
		return err
	}
	if err := c.Context().Err(); err != nil {
		return err
	}
	c.printReport(report)
	if !report.OK {
		return no(fmt.Sprintf("%s of %d failed, %d skipped; what the others finished is kept", counted(report.Failed, "step"), len(report.Steps), report.Skipped))
	}
	return nil
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

// resultFolder is the folder of the results, absolute: out, or what the pipeline's file is called.
func resultFolder(out, file string) (string, error) {
	if out == "" {
		out = strings.TrimSuffix(file, filepath.Ext(file)) + ".out"
	}
	abs, err := filepath.Abs(out)
	if err != nil {
		return "", environment(err, "")
	}
	return abs, nil
}

// claimFolder makes the work folder, or takes one that graft made, and keeps other runs out of it.
func claimFolder(work string, force bool) (release func(), err error) {
	fail := func(err error) (func(), error) { return nil, &Error{File: work, Err: err, Code: exitEnvironment} }
	if err := os.MkdirAll(filepath.Dir(work), 0o777); err != nil {
		return fail(err)
	}
	lock, err := atomicfile.TryLock(filepath.Join(filepath.Dir(work), "."+filepath.Base(work)+".lock"))
	if err != nil {
		return fail(err)
	}
	release = func() { _ = lock.Release() }
	mark := filepath.Join(work, export.ManifestName)
	var m export.Manifest
	data, err := os.ReadFile(mark)
	if err == nil && json.Unmarshal(data, &m) == nil && m.Producer == "graft" && m.Settings["pipeline"] != nil {
		return release, nil
	}
	entries, err := os.ReadDir(work)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		release()
		return fail(err)
	}
	if len(entries) > 0 && !force {
		release()
		return nil, &Error{File: work, Reason: "the folder is not empty, and no pipeline made it", Hint: "give another --out, or --force to use it", Code: exitEnvironment}
	}
	made := export.NewManifest(readVersion().Version)
	made.Settings = map[string]any{"pipeline": true}
	data, err = made.Encode()
	if err == nil {
		err = os.MkdirAll(work, 0o777)
	}
	if err == nil {
		err = writeFile(mark, data)
	}
	if err != nil {
		release()
		return fail(err)
	}
	return release, nil
}

// stamp is what the program itself adds to every step's key: its version, the bytes of its file, the version of ONNX Runtime
// where a step runs a model, and the flags that hold for every step.
func (c *call) stamp(plan *pipeline.Plan) (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", environment(err, "")
	}
	sum, err := limits.HashFile(exe)
	if err != nil {
		return "", environment(err, "")
	}
	parts := []string{readVersion().Version, sum}
	_, byName := stepVerbs(c.app.verbs)
	for _, r := range plan.Runs {
		if byName[r.Step.Verb].groups&runsModel != 0 {
			library, err := runtime.FindLibrary(c.runtimeOptions())
			if err == nil { // else the step itself says what is missing
				parts = append(parts, "onnxruntime", library.Version)
			}
			break
		}
	}
	for _, name := range forSteps {
		if c.IsSet(name) {
			parts = append(parts, "--"+name, fmt.Sprint(c.parsed.Value(name)))
		}
	}
	return strings.Join(parts, " "), nil
}

func (c *call) printReport(r *pipeline.Report) {
	t := table{Head: []string{"step", "verb", "status", "seconds", ""}}
	for _, s := range r.Steps {
		note := s.Reason
		if note == "" {
			note = strings.Join(outputList(s.Outputs, r.Folder), " ")
		}
		t.Add(s.ID, s.Verb, string(s.Status), fmt.Sprintf("%.2f", s.Seconds), note)
	}
	c.Table(t)
	c.Print("")
	if c.Common.DryRun {
		c.Print("%s would run, %d cached, in %s", counted(r.WouldRun, "step"), r.Cached, r.Folder)
		for _, s := range r.Steps {
			if s.Status == pipeline.WouldRun {
				c.Print("graft %s", strings.Join(s.Command, " "))
			}
		}
		return
	}
	c.Print("%d done, %d cached, %d failed, %d skipped in %.1f s: %s", r.Ran, r.Cached, r.Failed, r.Skipped, r.Seconds, r.Folder)
}

// outputList are the outputs as paths below the folder.
func outputList(outputs map[string]string, folder string) (list []string) {
	for _, flag := range slices.Sorted(maps.Keys(outputs)) {
		path := outputs[flag]
		if rel, err := filepath.Rel(folder, path); err == nil {
			path = rel
		}
		list = append(list, path)
	}
	return list
}
