"""Large graphs, planned part by part: pieces that share no pool meet only in what bounds the whole."""
