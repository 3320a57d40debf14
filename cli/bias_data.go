package cli

import (
	"os"
	"path/filepath"
	"strings"

	"graft/training/metric/bias"
)

// biasLayout says where a benchmark's files are below --data: in one of these folders, or in the folder itself, the first that
// has a file of one of these patterns. folder: the benchmark is the folder, not the file.
type biasLayout struct {
	folders, patterns []string
	folder            bool
}

var biasLayouts = map[string]biasLayout{
	benchStereoSet: {[]string{"stereoset"}, []string{"dev.json", "test.json", "stereoset*.jsonl", "stereoset*.json"}, false},
	benchCrows:     {[]string{"crows-pairs", "crows"}, []string{"crows_pairs_anonymized.csv", "crows_pairs*.csv"}, false},
	benchRevised:   {[]string{"crows-pairs", "crows"}, []string{"crows_revised.csv", "*revised*.csv"}, false},
	benchSEAT:      {[]string{"seat-weat", "seat"}, []string{"sent-*.jsonl"}, true},
	benchWEAT:      {[]string{"seat-weat", "weat", "seat"}, []string{"weat*.jsonl"}, true},
	benchWino:      {[]string{"winobias"}, []string{"pro_stereotyped_type*.txt.*"}, true},
	benchTemplates: {[]string{"wordlists"}, []string{"debiaswe_professions.json", "occupations.txt", "occupations.json"}, false},
}

// biasData is the file or folder of a benchmark; "" where none was found.
func (c *call) biasData(benchmark string) string {
	layout := biasLayouts[benchmark]
	for _, given := range c.List("data") {
		info, err := os.Stat(given)
		if err == nil && !info.IsDir() {
			if layout.fits(filepath.Base(given)) {
				return given
			}
			continue
		}
		for _, folder := range append(layout.folders, ".") {
			for _, pattern := range layout.patterns {
				// The folder's name is text, and no pattern.
				entries, err := os.ReadDir(filepath.Join(given, folder))
				if err != nil {
					continue
				}
				for _, e := range entries {
					if ok, _ := filepath.Match(pattern, e.Name()); ok && !e.IsDir() {
						if layout.folder {
							return filepath.Join(given, folder)
						}
						return filepath.Join(given, folder, e.Name())
					}
				}
			}
		}
	}
	// One file of another name, for one benchmark that is a file, is that benchmark's.
	if given := c.List("data"); len(given) == 1 && !layout.folder && benchmark != benchTemplates {
		if info, err := os.Stat(given[0]); err == nil && !info.IsDir() && len(c.List("benchmark")) <= 1 {
			return given[0]
		}
	}
	return ""
}

func (l biasLayout) fits(name string) bool {
	for _, pattern := range l.patterns {
		if ok, _ := filepath.Match(pattern, name); ok && !l.folder {
			return true
		}
	}
	return false
}

// biasFile is biasData, or says what is missing.
func (c *call) biasFile(benchmark string) (string, error) {
	if len(c.List("data")) == 0 {
		return "", misuse("flag --data is missing: the folder that has the files of %s", benchmark)
	}
	for _, given := range c.List("data") {
		if _, err := os.Stat(given); err != nil {
			return "", refused(given, err)
		}
	}
	if path := c.biasData(benchmark); path != "" {
		return path, nil
	}
	l := biasLayouts[benchmark]
	if benchmark == benchStereoSet {
		if path := c.anyStereoSet(l); path != "" {
			return path, nil
		}
	}
	return "", &Error{File: strings.Join(c.List("data"), ", "), Reason: "has no file of " + benchmark, Code: exitInput,
		Hint: "looked for " + strings.Join(l.patterns, ", ") + " there and in " + strings.Join(l.folders, ", ")}
}

// anyStereoSet looks into files of other names: the first JSON file that has examples.
func (c *call) anyStereoSet(l biasLayout) string {
	for _, given := range c.List("data") {
		for _, folder := range append(l.folders, ".") {
			for _, pattern := range []string{"*.jsonl", "*.json"} {
				entries, _ := os.ReadDir(filepath.Join(given, folder))
				for _, e := range entries {
					path := filepath.Join(given, folder, e.Name())
					if ok, _ := filepath.Match(pattern, e.Name()); !ok || !e.Type().IsRegular() {
						continue
					}
					if _, err := bias.ReadStereoSet(path); err == nil {
						return path
					}
				}
			}
		}
	}
	return ""
}
