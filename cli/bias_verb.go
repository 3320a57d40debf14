package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"graft/training/metric/bias"
)

var biasVerb = verb{
	name: "bias", args: "[MODEL]", short: "measure social bias of a language model on published benchmarks",
	long: `Has a language model answer StereoSet, CrowS-Pairs, SEAT, WEAT, WinoBias and templates of occupations, with bootstrap confidence
intervals, over all rows and by category. MODEL is a folder of graft convert (model.onnx, tokenizer.json, config.json), a file of ONNX
with its tokenizer beside it or at --tokenizer, a folder of Hugging Face or a .gguf. A row that cannot be used is skipped, counted and
listed.

--scores scores recorded sentence scores instead. --against compares with another model, or its recorded scores, on the rows that both
have: how scores and their distances from 50 changed, with intervals of the paired bootstrap, and of the gender items of StereoSet and
CrowS-Pairs together.

--out is a folder: report.html, bias.json, and predictions.json with the scores of sentences, which --scores takes. What a model answers is
kept beside it, in OUT.partial, until the report is whole: the same command goes on where a run was cut off.`,
	examples: []string{
		"graft bias smollm2/ --data bias/ --out report/",
		"graft bias minilm/ --benchmark seat,weat --data bias/ --json",
		"graft bias debiased/ --against smollm2/ --benchmark crows-pairs,stereoset --data bias/ --out change/",
		"graft bias --scores predictions.json --benchmark stereoset --data bias/",
		"graft bias --scores after.json --against before.json --data dev.json --out report/",
	},
	groups: writes | readsModel | runsModel,
	flags:  biasFlags(),
	run:    runBias,
}

func runBias(c *call) error {
	chosen, err := c.biasChosen()
	if err != nil {
		return err
	}
	path := c.Arg(0)
	switch {
	case path != "" && c.Text("scores") != "":
		return misuse("MODEL and --scores: one of them is measured")
	case path == "" && c.Text("scores") == "":
		return misuse("MODEL is missing, or --scores with recorded scores")
	case path == "":
		path = c.Text("scores")
		if file := recordedAt(path); file != "" {
			path = file
		}
	}
	doc := &biasDoc{Benchmarks: map[string]*biasOne{}, Level: c.Float("level"), Data: map[string]string{}}
	work := c.biasWork()
	after, err := c.measureBias(path, chosen, doc, work)
	if err == nil {
		doc.executed = c.executed()
		if work != nil {
			err = c.writeBias(doc, &after.recorded, work)
		}
	}
	if err != nil {
		return work.leave(err)
	}
	c.JSON(doc)
	c.printBias(doc)
	return nil
}

// measureBias measures what is at a path, and what --against says, and fills the document.
func (c *call) measureBias(path string, chosen []string, doc *biasDoc, work *biasWork) (*biasAnswers, error) {
	recorded := c.Text("scores") != ""
	if recorded && len(c.List("self-debias")) > 0 {
		return nil, misuse("--self-debias changes what a model answers, --scores has answers")
	}
	for _, name := range chosen {
		if recorded && !slices.Contains(recordedBenchmarks, name) {
			return nil, misuse("recorded scores are of %s, --benchmark asks for %s", strings.Join(recordedBenchmarks, ", "), name)
		}
	}
	var model *biasModel
	if !recorded {
		var err error
		if model, err = c.openBias(path, c.Text("tokenizer")); err != nil {
			return nil, err
		}
		defer model.Close()
		if err := c.debias(model); err != nil {
			return nil, err
		}
		if err := model.answersAll(path, chosen); err != nil {
			return nil, err
		}
		if err := work.keep(model); err != nil {
			return nil, err
		}
	}
	if len(chosen) == 0 {
		var err error
		if chosen, err = c.biasFound(path, model); err != nil {
			return nil, err
		}
	}
	sets, err := c.readBias(chosen, doc)
	if err != nil {
		return nil, err
	}
	var after, before *biasAnswers
	from := c.Text("against")
	if recordedAt(from) != "" { // which is read at once
		if before, err = c.beforeAnswers(from, sets, work); err != nil {
			return nil, err
		}
	}
	if model == nil {
		after, err = c.recordedAnswers(path, sets)
	} else if after, err = c.modelAnswers(model, sets); err != nil {
		err = runtimeError(err, path)
	} else {
		doc.Model, doc.Seconds = after.about, after.seconds
		err = model.Close()
	}
	if err != nil {
		return nil, err
	}
	if from != "" {
		if before == nil {
			if before, err = c.beforeAnswers(from, sets, work); err != nil {
				return nil, err
			}
		}
		doc.Against = before.about
	}
	doc.skip(after.skips)
	for _, name := range chosen {
		one := after.one(name, before, c.biasResampling())
		if one == nil {
			return nil, &Error{File: path, Code: exitInput, Reason: fmt.Sprintf("no row of %s has a score%s", name, firstReason(after.skips))}
		}
		if before != nil && one.Change == nil && one.Before == nil {
			return nil, refused(c.Text("against"), fmt.Errorf("no row of %s has scores in it and in %s", name, path))
		}
		doc.Benchmarks[name] = one
	}
	doc.Gender = genderPooled(after, before, c.biasResampling())
	return after, nil
}

func firstReason(s bias.Skips) string {
	if len(s.Rows) == 0 {
		return ""
	}
	return ": " + s.Rows[0].Reason
}

// beforeAnswers measures what --against names. --tokenizer counts where it has no tokenizer of its own.
func (c *call) beforeAnswers(from string, sets *biasSets, work *biasWork) (*biasAnswers, error) {
	tokens := ""
	if recordedAt(from) == "" && c.Text("tokenizer") != "" {
		if _, err := openTokenizer("", tokenizerPlace(from), 0); err != nil {
			tokens = c.Text("tokenizer")
		}
	}
	return c.answersOf(from, tokens, sets, work)
}

// biasFound are the benchmarks of which there are data, and that a model, or recorded scores where it is nil, can answer.
func (c *call) biasFound(path string, model *biasModel) (out []string, err error) {
	if model == nil {
		recorded, err := bias.ReadPredictions(path)
		if err != nil {
			return nil, refused(path, err)
		}
		if len(recorded.Scores) > 0 {
			out = append(out, benchStereoSet)
		}
		for _, name := range biasBenchmarks {
			if len(recorded.Pairs[name]) > 0 {
				out = append(out, name)
			}
		}
		return out, nil
	}
	for _, name := range biasBenchmarks {
		if model.can(name) && name != benchRevised && (name == benchTemplates || c.biasData(name) != "") {
			out = append(out, name)
		}
	}
	if len(out) == 0 {
		return nil, &Error{File: strings.Join(c.List("data"), ", "), Code: exitInput, Reason: "has no files of a benchmark that the model can answer",
			Hint: "--data names the folder that has them; --benchmark one of " + strings.Join(biasBenchmarks, ", ")}
	}
	return out, nil
}

// writeBias writes the folder of a run.
func (c *call) writeBias(doc *biasDoc, recorded *bias.Recorded, work *biasWork) error {
	if err := work.begin(); err != nil {
		return err
	}
	page, err := c.biasPage(doc)
	if err != nil {
		return err
	}
	var html, text bytes.Buffer
	if err := page.Write(&html); err != nil {
		return err
	}
	if err := writeJSON(&text, doc); err != nil {
		return err
	}
	manifest, err := json.MarshalIndent(map[string]any{"producer": "graft", "verb": "bias", "version": readVersion().Version, "benchmarks": doc.names()}, "", "  ")
	if err != nil {
		return err
	}
	type file struct {
		name string
		data []byte
	}
	files := []file{{"report.html", html.Bytes()}, {biasReport, text.Bytes()}, {"manifest.json", append(manifest, '\n')}}
	if doc.Model != nil && slices.ContainsFunc(doc.names(), func(name string) bool { return slices.Contains(recordedBenchmarks, name) }) {
		scores, err := json.Marshal(recorded)
		if err != nil {
			return err
		}
		files = append(files, file{predictionsFile, append(scores, '\n')})
	}
	for _, f := range files {
		if err := work.dir.WriteFile(f.name, f.data); err != nil {
			return folderError(c.Out(), err)
		}
	}
	return work.finish()
}
