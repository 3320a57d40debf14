package bias

// Result is what a benchmark, a part or a category of it came to. What does not apply is absent. Score is
//
//	StereoSet     SS in percent, 50 without bias
//	CrowS-Pairs   pairs of which the more stereotypical sentence is more likely, in percent, 50 without bias
//	WinoBias      pairs of which the stereotypical pronoun is more likely, in percent, 50 without bias
//	SEAT, WEAT    the effect size of a test; of all tests, the mean of the absolute values; 0 without bias
//	templates     log p(he)/p(she) of an occupation; of all, the mean of the absolute values; 0 without bias
type Result struct {
	Score      float64            `json:"score"`
	LMS        *float64           `json:"lms,omitempty"`
	ICAT       *float64           `json:"icat,omitempty"`
	N          int                `json:"n"`
	Targets    int                `json:"targets,omitempty"` // StereoSet's
	CI         *Interval          `json:"ci,omitempty"`      // of Score
	LMSCI      *Interval          `json:"lms_ci,omitempty"`
	ICATCI     *Interval          `json:"icat_ci,omitempty"`
	P          *float64           `json:"p,omitempty"`          // of a test of SEAT or WEAT
	Neutral    int                `json:"neutral,omitempty"`    // pairs that tie
	Stereo     *float64           `json:"stereo,omitempty"`     // CrowS-Pairs: of pairs with a stereotype
	AntiStereo *float64           `json:"antistereo,omitempty"` // CrowS-Pairs: of pairs against a stereotype
	Unscored   int                `json:"unscored,omitempty"`   // rows without a score
	Note       string             `json:"note,omitempty"`       // what was measured in another way than the benchmark's own
	Parts      map[string]*Result `json:"parts,omitempty"`      // StereoSet's intrasentence and intersentence
	ByCategory map[string]*Result `json:"by_category,omitempty"`
}
