package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"graft/training/metric/bias"
)

var biasVerb = verb{
	name: "bias", short: "measure social bias by recorded scores of a language model",
	long: `Scores recorded sentence scores of StereoSet, --scores, by its examples in --data: SS, LMS and ICAT as means over targets, over all
examples and by category, with bootstrap confidence intervals. A row that cannot be used is skipped, counted and listed.

--against compares with the recorded scores of another model on the examples that both have: how SS, its distance from 50, LMS and
ICAT changed, with intervals of the paired bootstrap.

--out is a folder: report.html, bias.json.`,
	examples: []string{
		"graft bias --scores predictions.json --benchmark stereoset --data bias/",
		"graft bias --scores after.json --against before.json --data dev.json --out report/",
	},
	groups: writes,
	flags:  biasFlags(),
	run:    runBias,
}

func runBias(c *call) error {
	chosen, err := c.biasChosen()
	if err != nil {
		return err
	}
	doc := &biasDoc{Benchmarks: map[string]*biasOne{}, Level: c.Float("level"), Data: map[string]string{}}
	if c.Text("scores") == "" {
		return misuse("flag --scores is missing: the recorded scores")
	}
	if len(chosen) > 1 || len(chosen) == 1 && chosen[0] != benchStereoSet {
		return misuse("--scores has sentence scores of stereoset, --benchmark asks for %s", strings.Join(chosen, ", "))
	}
	if err := c.scoreRecorded(doc); err != nil {
		return err
	}
	doc.executed = c.executed()
	if c.Out() != "" && !c.Common.DryRun {
		if err := c.writeBias(doc); err != nil {
			return err
		}
	}
	c.JSON(doc)
	c.printBias(doc)
	return nil
}

// scoreRecorded scores --scores by StereoSet's examples.
func (c *call) scoreRecorded(doc *biasDoc) error {
	path, err := c.biasFile(benchStereoSet)
	if err != nil {
		return err
	}
	set, err := bias.ReadStereoSet(path)
	if err != nil {
		return refused(path, err)
	}
	doc.Data[benchStereoSet] = path
	doc.skip(set.Skips)
	outcomes, err := c.recordedOutcomes(set, c.Text("scores"), doc)
	if err != nil {
		return err
	}
	one := &biasOne{Result: outcomes.Result(c.biasResampling())}
	doc.skip(outcomes.Unscored)
	if from := c.Text("against"); from != "" {
		before, err := c.recordedOutcomes(set, from, doc)
		if err != nil {
			return err
		}
		if one.Change = bias.StereoChange(before, outcomes, c.biasResampling()); one.Change == nil {
			return refused(from, fmt.Errorf("no example has scores in this file and in %s", c.Text("scores")))
		}
	}
	doc.Benchmarks[benchStereoSet] = one
	return nil
}

func (c *call) recordedOutcomes(set *bias.StereoSet, path string, doc *biasDoc) (*bias.StereoOutcomes, error) {
	recorded, err := bias.ReadPredictions(path)
	if err != nil {
		return nil, refused(path, err)
	}
	doc.skip(recorded.Skips)
	outcomes := set.Score(recorded.Scores)
	if len(outcomes.Of) == 0 {
		return nil, &Error{File: path, Code: exitInput, Reason: fmt.Sprintf("no example of %s has all its scores here; the first: %s", set.Path, outcomes.Unscored.Rows[0]),
			Hint: "scores are by the ids of sentences: the examples must have them, as StereoSet's dev.json does"}
	}
	return outcomes, nil
}

// writeBias writes the folder of a run.
func (c *call) writeBias(doc *biasDoc) error {
	dir, err := createFolder(c.Out(), c.Common.Force)
	if err != nil {
		return err
	}
	defer func() { _ = dir.Abort() }() // nothing after Commit
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
	for _, f := range []struct {
		name string
		data []byte
	}{{"report.html", html.Bytes()}, {"bias.json", text.Bytes()}, {"manifest.json", append(manifest, '\n')}} {
		if err := dir.WriteFile(f.name, f.data); err != nil {
			return folderError(c.Out(), err)
		}
	}
	if err := dir.Commit(); err != nil {
		return folderError(c.Out(), err)
	}
	return nil
}
