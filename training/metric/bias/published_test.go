package bias

import (
	"flag"
	"math"
	"path/filepath"
	"testing"
)

var predictions = flag.String("predictions", "", "code/predictions of StereoSet's repository: recorded scores of which published scores are reproduced")

// published are scores from predictions.json of StereoSet's repository: SS, LMS and ICAT of intrasentence examples about race and
// religion, of which the data beside the project has all ids.
var published = map[string][2][3]float64{
	"predictions_gpt2_ModelNSP_GPT2LM.json":                     {{60.35000089116578, 89.7567072075023, 71.1770672157872}, {58.02298850574713, 88.45977011494251, 74.26553573787817}},
	"predictions_gpt2-medium_ModelNSP_GPT2LM.json":              {{61.440868452370104, 92.35544217137996, 71.22291287651531}, {62.57471264367816, 90.45977011494251, 67.70965781477076}},
	"predictions_gpt2-large_ModelNSP_GPT2LM.json":               {{63.00185922496809, 91.88521081068524, 67.99163929434432}, {61.60919540229886, 91.60919540229885, 70.33901440084554}},
	"predictions_bert-base-cased_BertNextSentence_BertLM.json":  {{56.29627559199869, 83.82409779040428, 73.26850537162359}, {56.27586206896552, 82.16091954022988, 71.84830757035274}},
	"predictions_bert-large-cased_BertNextSentence_BertLM.json": {{57.271266910163185, 84.01668497315835, 71.79853014621973}, {50.160919540229884, 85.97701149425286, 85.70030387105298}},
	"predictions_roberta-base_ModelNSP_RoBERTaLM.json":          {{56.07187093282957, 70.02782512792561, 61.52382681025514}, {40.82758620689655, 70.59770114942529, 57.646674593737615}},
	"predictions_roberta-large_ModelNSP_RoBERTaLM.json":         {{56.33529004861618, 71.71216118108298, 62.62581435917748}, {39.86206896551724, 69.93103448275862, 55.75191438763377}},
	"predictions_xlnet-base-cased_ModelNSP_XLNetLM.json":        {{52.14383831335772, 69.19024183712537, 66.22358800990706}, {55.72413793103448, 74.89655172413792, 66.32218787158145}},
	"predictions_xlnet-large-cased_ModelNSP_XLNetLM.json":       {{50.421825943217804, 73.64296731425097, 73.02167703127714}, {49.60919540229886, 77.95402298850574, 77.34472717664157}},
	"predictions_EnsembleModel_.json":                           {{62.200703320921434, 92.46980788545623, 69.90587404239517}, {59.12643678160919, 91.60919540229885, 74.88788479323557}},
	"predictions_SentimentModel.json":                           {{70.14426379380126, 49.101373831914486, 29.319153289751775}, {50.62068965517241, 44.7816091954023, 44.225699564011094}},
}

// TestPublished reproduces published scores from published predictions. Neither those nor the examples are in the repository:
//
//	go test ./training/metric/bias -run TestPublished -predictions .../StereoSet/code/predictions
func TestPublished(t *testing.T) {
	if *predictions == "" {
		t.Skip("-predictions names no folder")
	}
	set, err := ReadStereoSet(shared(t, "bias", "stereoset", "stereoset_dev_clean.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range published {
		p, err := ReadPredictions(filepath.Join(*predictions, name))
		if err != nil {
			t.Fatal(err)
		}
		part := set.Score(p.Scores).Result(Resampling{Samples: 100}).Parts["intrasentence"]
		for i, kind := range []string{"race", "religion"} {
			r := part.ByCategory[kind]
			for k, got := range []float64{r.Score, *r.LMS, *r.ICAT} {
				if !(math.Abs(got-want[i][k]) < 1e-9) {
					t.Errorf("%s, %s, number %d: %v, published is %v", name, kind, k, got, want[i][k])
				}
			}
		}
	}
}

// TestSharedData reads the real files: as many rows as they are known to have, and none skipped.
func TestSharedData(t *testing.T) {
	folder := shared(t, "bias")
	set, err := ReadStereoSet(filepath.Join(folder, "stereoset", "stereoset_dev_clean.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if inter := len(pick(set.Examples, func(e StereoExample) bool { return e.Inter })); len(set.Examples) != 4229 || inter != 2123 || set.Skips.Count != 0 {
		t.Errorf("StereoSet: %d examples, %d of them intersentence, skipped %v", len(set.Examples), inter, set.Skips)
	}
	for name, want := range map[string]int{"crows_pairs_anonymized.csv": 1508, "crows_revised.csv": 1467} {
		crows, err := ReadCrowsPairs(filepath.Join(folder, "crows-pairs", name))
		if err != nil || len(crows.Pairs) != want || crows.Skips.Count != 0 {
			t.Errorf("%s: %v, %v", name, crows, err)
		}
	}
	wino, err := ReadWinoBias(filepath.Join(folder, "winobias"))
	if err != nil || len(wino.Pairs)+wino.Skips.Count != 1584 || wino.Skips.Count > 20 {
		t.Errorf("WinoBias: %d pairs, skipped %v, %v", len(wino.Pairs), wino.Skips, err)
	}
	tests, err := ReadAssociationTests(filepath.Join(folder, "seat-weat"))
	if err != nil || len(tests.Tests) != 50 || tests.Skips.Count != 0 {
		t.Fatalf("%d tests, skipped %v, %v", len(tests.Tests), tests.Skips, err)
	}
	for _, x := range tests.Tests {
		if len(x.X.Examples) != len(x.Y.Examples) {
			t.Logf("%s has %d and %d targets", x.Name, len(x.X.Examples), len(x.Y.Examples))
		}
	}
	of, skips, err := ReadOccupations(filepath.Join(folder, "wordlists", "debiaswe_professions.json"))
	if err != nil || len(of) < 250 || skips.Count != 0 {
		t.Errorf("%d occupations, skipped %v, %v", len(of), skips, err)
	}
}
