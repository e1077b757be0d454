"""What a user asks for in one call: segment, render, resume, with prompts in any frame and both ways."""
