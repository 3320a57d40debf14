package rewrite

var attentionPatterns = []pattern{}
